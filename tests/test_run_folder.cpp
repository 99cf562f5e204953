// The folder of a run: it takes what it may replace, and removes its own files alone.

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "catch.h"
#include "error_of.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/models/captioner/config.h"
#include "glimpse/models/training/run_folder.h"
#include "glimpse/models/training/run_log.h"
#include "scratch_folder.h"

using namespace glimpse;
using glimpse::test::error_of;
namespace fs = std::filesystem;

TEST_CASE("run folder: a run that is given up leaves the runs beside it") {
  const ScratchFolder scratch;
  {
    RunFolder a(scratch / "runs/deep/a", 0);
    write_file_atomically(a.config(), config_to_json({}));
    write_file_atomically(a.log(), "{}\n");
    fs::create_directories(scratch / "runs/deep/b");
    scratch.file("runs/deep/b/best.safetensors", "another run's");
    a.abandon();
  }
  CHECK_FALSE(fs::exists(scratch / "runs/deep/a"));
  CHECK(read_text_file(scratch / "runs/deep/b/best.safetensors") == "another run's");

  {
    RunFolder c(scratch / "new/c", 0);
    scratch.file("new/c/notes.txt", "a user's");
    c.abandon();
  }
  CHECK(read_text_file(scratch / "new/c/notes.txt") == "a user's");
  {
    RunFolder d(scratch / "empty/d", 0);
    d.abandon();
  }
  CHECK_FALSE(fs::exists(scratch / "empty"));
}

TEST_CASE("run folder: who comes second to a new folder leaves it to the first") {
  const ScratchFolder scratch;
  RunFolder first(scratch / "runs/a", 0);
  const auto second = [&] { RunFolder(scratch / "runs/a", 0); };
  CHECK_THAT(error_of(second), Contains("runs/a: another process is training there"));
  CHECK(fs::is_directory(first.path()));
  write_file_atomically(first.last(), "x");
  CHECK_THAT(error_of(second), Contains("another process"));
  CHECK(read_text_file(first.last()) == "x");
}

TEST_CASE("run folder: refused without a trace") {
  const ScratchFolder scratch;
  CHECK_THAT(error_of([&] { RunFolder(scratch / "runs/a", std::int64_t{1} << 60); }), Contains("needs about"));
  CHECK(scratch.entries().empty());
  scratch.file("file", "");
  CHECK_THAT(error_of([&] { RunFolder(scratch / "file/run", 0); }), Contains("file/run: cannot make this folder"));
  fs::create_symlink("nowhere", scratch / "dangling");
  CHECK_THAT(error_of([&] { RunFolder(scratch / "dangling/run", 0); }), Contains("cannot make this folder"));
}

TEST_CASE("run folder: links in it lead nowhere") {
  const ScratchFolder scratch;
  const std::string outside = scratch.file("outside.txt", "not the run's");
  fs::create_directory(scratch / "run");
  fs::create_symlink(outside, scratch / "run/.glimpse-can-write");
  const RunFolder folder(scratch / "run", 0);
  CHECK(read_text_file(outside) == "not the run's");
  fs::create_symlink(outside, folder.log());
  CHECK_THAT(error_of([&] { RunLog(folder.log(), 0); }), Contains("log.jsonl: is a symbolic link"));
  CHECK(read_text_file(outside) == "not the run's");
  fs::remove(folder.log());
  REQUIRE(::mkfifo(folder.log().c_str(), 0600) == 0);
  CHECK_THROWS_WITH(RunLog(folder.log(), 0), Contains("log.jsonl"));
}

TEST_CASE("run folder: what a start may replace") {
  const ScratchFolder scratch;
  const RunFiles files(scratch / "run");
  fs::create_directory(files.path());
  const auto put = [](const std::string& path, const std::string& text = "") { write_file_atomically(path, text); };
  const auto refusal = [&](RunStart start) { return error_of([&] { goes_on(files.path(), start); }); };
  const auto require_refused = [&](const std::string& why) {
    for (const RunStart start : {RunStart::anew, RunStart::resume}) REQUIRE_THAT(refusal(start), Contains(why));
    REQUIRE_FALSE(goes_on(files.path(), RunStart::overwrite));
  };
  const auto require_begins = [&] {
    for (const RunStart start : {RunStart::anew, RunStart::resume, RunStart::overwrite})
      REQUIRE_FALSE(goes_on(files.path(), start));
  };
  require_begins();
  SECTION("a run") {
    put(files.config(), config_to_json({}));
    put(files.last());
    REQUIRE_THAT(refusal(RunStart::anew), Contains("holds a run already") && Contains("--resume"));
    REQUIRE(goes_on(files.path(), RunStart::resume));
    REQUIRE_FALSE(goes_on(files.path(), RunStart::overwrite));
  }
  SECTION("a run that was killed before its first checkpoint begins again") {
    put(files.config(), config_to_json({}));
    put(files.log(), "{}");
    require_begins();
  }
  SECTION("a model without a checkpoint") {
    put(files.config(), config_to_json({}));
    put(files.best(), "weeks of work");
    require_refused("holds a model, but no checkpoint");
  }
  SECTION("a checkpoint without its configuration") {
    put(files.last());
    require_refused("no config.json");
  }
  SECTION("another program's files") {
    put(files.config(), "{\"hidden_size\": 768}");
    require_refused("config.json is no run's");
    fs::remove(files.config());
    put(files.report(), "<html>");
    require_refused("report.html");
    fs::remove(files.report());
    put(files.captions(), "[]");
    require_refused("captions.json");
  }
}

TEST_CASE("file: a rewritten file keeps its permissions") {
  const ScratchFolder scratch;
  const std::string path = scratch.file("secret.txt", "first");
  const auto mode = [&] {
    struct stat status;
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777u : 0u;
  };
  for (const mode_t wanted : {0600u, 0640u, 0666u}) {
    REQUIRE(::chmod(path.c_str(), wanted) == 0);
    write_file_atomically(path, "second");
    CHECK(mode() == wanted);
  }
}

TEST_CASE("file: what cannot be written leaves nothing behind") {
  const ScratchFolder scratch;
  fs::create_directory(scratch / "a.tmp");
  CHECK_THROWS_WITH(write_file_atomically(scratch / "a", "x"), Contains("/a: "));
  fs::remove(scratch / "a.tmp");
  const std::string outside = scratch.file("outside", "untouched");
  fs::create_symlink(outside, scratch / "b.tmp");
  CHECK_THROWS_WITH(write_file_atomically(scratch / "b", "x"), Contains("/b: "));
  CHECK(read_text_file(outside) == "untouched");
  REQUIRE(::mkfifo((scratch / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(MappedFile(scratch / "pipe"), Contains("not a regular file"));
}
