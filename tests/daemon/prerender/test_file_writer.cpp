// Files are written atomically, in the right place, or not at all.
#include "daemon/prerender/file_writer.hpp"

#include <sys/stat.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "tests/cmocka.hpp"

using namespace larder::daemon;
namespace fs = std::filesystem;

namespace {

std::string fresh_root() {
    char name[] = "/tmp/larder-file-writer-XXXXXX";
    if (mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp failed");
    return name;
}

std::string content(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

int error_of(const std::string& root, const std::vector<std::string>& directories) {
    try {
        write_file(root, directories, "index.html", "x");
    } catch (const std::system_error& error) {
        return error.code().value();
    }
    return 0;
}

}  // namespace

TEST(a_file_replaces_the_one_before_and_leaves_nothing_else) {
    std::string root = fresh_root();
    write_file(root, {"a", "b"}, "index.html", "old");
    write_file(root, {"a", "b"}, "index.html", "new");
    assert_text_equal(content(root + "/a/b/index.html"), "new");
    assert_int_equal(std::distance(fs::directory_iterator(root + "/a/b"), fs::directory_iterator()), 1);
    struct stat status {};
    stat((root + "/a/b/index.html").c_str(), &status);
    assert_int_equal(status.st_mode & 0777, 0644);
    fs::remove_all(root);
}

TEST(a_reader_of_the_old_file_keeps_it) {
    std::string root = fresh_root();
    write_file(root, {}, "index.html", "old");
    std::ifstream reader(root + "/index.html");
    write_file(root, {}, "index.html", "new and longer");
    std::string read;
    std::getline(reader, read);
    assert_text_equal(read, "old");
    fs::remove_all(root);
}

TEST(links_below_the_root_are_not_followed) {
    std::string root = fresh_root(), elsewhere = fresh_root();
    fs::create_directory_symlink(elsewhere, root + "/link");
    assert_int_equal(error_of(root, {"link"}), ENOTDIR);
    assert_true(fs::is_empty(elsewhere));
    fs::remove_all(root);
    fs::remove_all(elsewhere);
}

TEST(what_is_in_the_way_is_an_error) {
    std::string root = fresh_root();
    write_file(root, {}, "file", "x");
    assert_int_equal(error_of(root, {"file"}), ENOTDIR);
    fs::create_directory(root + "/index.html");
    assert_int_equal(error_of(root, {}), EISDIR);
    assert_int_equal(error_of(root + "/missing", {}), ENOENT);
    assert_int_equal(std::distance(fs::directory_iterator(root), fs::directory_iterator()), 2);
    fs::remove_all(root);
}

TEST(what_a_daemon_that_died_left_is_swept_up) {
    std::string root = fresh_root();
    std::string old = root + "/.index.html.1.1.larder-tmp", recent = root + "/.index.html.1.2.larder-tmp";
    std::ofstream(old) << "half";
    std::ofstream(recent) << "half";
    fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(2));
    write_file(root, {}, "index.html", "x");
    assert_false(fs::exists(old));
    assert_true(fs::exists(recent));
    fs::remove_all(root);
}

TEST(gzip_is_the_same_for_the_same_bytes_and_reads_back) {
    std::string page(100'000, 'x');
    for (std::size_t i = 0; i < page.size(); i += 7) page[i] = static_cast<char>(i);
    std::string packed = gzip(page);
    assert_text_equal(packed, gzip(page));
    z_stream stream{};
    inflateInit2(&stream, 15 + 16);
    std::string out(page.size() + 1, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    assert_text_equal(out, page);
    assert_true(!gzip("").empty());
}

// nginx derives ETag and Last-Modified from the modification time and the size.
TEST(a_file_that_would_not_change_keeps_inode_and_time) {
    std::string root = fresh_root();
    auto identity = [&] {
        struct stat status {};
        stat((root + "/a/index.html").c_str(), &status);
        return std::pair(status.st_ino, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec);
    };
    write_file(root, {"a"}, "index.html", "page");
    auto before = identity();
    write_file(root, {"a"}, "index.html", "page");
    assert_true(identity() == before);
    write_file(root, {"a"}, "index.html", "pagf");
    assert_true(identity() != before);
    auto file = read_file(root, {"a"}, "index.html");
    assert_true(file && file->bytes == "pagf" && file->changed_ms > 0);
    assert_false(read_file(root, {"a"}, "other").has_value());
    assert_false(read_file(root, {"b"}, "index.html").has_value());
    fs::remove_all(root);
}

TEST_MAIN("file_writer")
