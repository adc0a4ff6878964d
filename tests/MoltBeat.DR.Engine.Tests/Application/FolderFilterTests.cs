using MoltBeat.DR.Engine.Application;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Application;

public sealed class FolderFilterTests
{
    [Theory]
    [InlineData("app.log", true)]
    [InlineData("deep/down/app.log.1", true)]
    [InlineData("node_modules/", true)]
    [InlineData("web/node_modules/", true)]
    [InlineData("node_modules", false)] // a file of that name
    [InlineData("tmp/", true)]
    [InlineData("uploads/", false)]
    [InlineData("bin/", false)]
    [InlineData(".git/", false)]
    [InlineData(".env", false)]
    [InlineData("catalog", false)]
    [InlineData("Node_Modules/", false)]
    public void Logs_temporary_files_and_what_builds_make_are_left_out_unless_told_otherwise(string path, bool leftOut)
        => Assert.Equal(leftOut, new FolderFilter([]).LeavesOut(path.TrimEnd('/'), path.EndsWith('/')));

    [Theory]
    [InlineData("*.bak", "a/b.bak", true)]
    [InlineData("cache", "a/cache", true)]
    [InlineData("/cache", "a/cache", false)]
    [InlineData("/cache", "cache", true)]
    [InlineData("a/*.bak", "a/x.bak", true)]
    [InlineData("a/*.bak", "a/b/x.bak", false)]
    [InlineData("a/**/x", "a/x", true)]
    [InlineData("a/**/x", "a/b/c/x", true)]
    [InlineData("a/**", "a", false)]
    [InlineData("a/**", "a/b", true)]
    [InlineData("**/b/c", "a/b/c", true)]
    [InlineData("file?.txt", "file1.txt", true)]
    [InlineData("file?.txt", "file12.txt", false)]
    [InlineData("!*.log", "app.log", false)]
    [InlineData("*", "anything", true)]
    public void A_glob_is_read_as_in_a_gitignore(string glob, string path, bool leftOut)
        => Assert.Equal(leftOut, new FolderFilter([glob]).LeavesOut(path, folder: false));

    [Fact]
    public void The_last_that_matches_decides()
    {
        var filter = new FolderFilter(["!*", "*.txt", "!keep.txt"]);
        Assert.False(filter.LeavesOut("node_modules", folder: true));
        Assert.True(filter.LeavesOut("a.txt", folder: false));
        Assert.False(filter.LeavesOut("x/keep.txt", folder: false));
    }
}
