// Whatever call to the file system fails, is cut short or is the last one before a kill: the run says so or is gone,
// goes on to the same bits, and touches no file but its own. GLIMPSE_ALL_FAULTS=1 tries every call, else about
// sixty are chosen, evenly spaced.

#include <cstdlib>
#include <filesystem>

#include "catch.h"
#include "glimpse/engine/io/safetensors.h"
#include "program.h"
#include "scratch_folder.h"

using namespace glimpse;
namespace fs = std::filesystem;

namespace {

/// A run of a fraction of a second: two epochs of two steps.
std::vector<std::string> tiny_training(const std::string& run) {
  return {"train_flickr",
          "--run",
          run,
          "--epochs",
          "2",
          "--threads",
          "1",
          "--batch",
          "10",
          "--set",
          "scenes.train=4",
          "scenes.val=2",
          "scenes.test=1",
          "encoder.image_size=32",
          "decoder.hidden=8",
          "decoder.embedding=8",
          "decoder.attention_size=8",
          "validation.max_words=4",
          "training.log_every=1",
          "training.checkpoint_every=1",
          "training.warmup_steps=0"};
}

struct Faults {
  ScratchFolder folder;
  std::string parent = folder / "runs", run = parent + "/a", neighbour = folder.path() + "/runs/b.txt";

  ProgramResult train(const std::vector<std::string>& arguments, long at, const std::string& kind) const {
    return run_program(
        arguments,
        {.environment = {"LD_PRELOAD=" GLIMPSE_FAULT_SHIM, "GLIMPSE_FAULT_ROOT=" + run,
                         "GLIMPSE_FAULT_AT=" + std::to_string(at), "GLIMPSE_FAULT_KIND=" + kind,
                         "GLIMPSE_FAULT_COUNT=" + (folder / "count"), "ASAN_OPTIONS=verify_asan_link_order=0"}});
  }

  void begin() const {
    fs::remove_all(parent);
    fs::create_directory(parent);
    std::ofstream(neighbour) << "not this run's";
  }

  void require_no_leftovers() const {
    REQUIRE(slurp(neighbour) == "not this run's");
    if (!fs::exists(run)) return;
    for (const auto& entry : fs::directory_iterator(run)) {
      const std::string name = entry.path().filename().string();
      CAPTURE(name);
      REQUIRE_FALSE(name.ends_with(".tmp"));
      REQUIRE(name != ".glimpse-can-write");
    }
  }
};

/// Bits of a run that is over.
struct Ended {
  std::string best;
  std::vector<std::vector<float>> last;

  explicit Ended(const std::string& run) : best(slurp(run + "/best.safetensors")) {
    for (const NamedTensor& tensor : read_safetensors(run + "/last.safetensors").tensors)
      last.push_back(tensor.tensor.to_vector<float>());
  }
  bool operator==(const Ended&) const = default;
};

}  // namespace

TEST_CASE("no fault of the file system loses or changes a bit of a run") {
  const Faults faults;
  faults.begin();
  const std::vector<std::string> command = tiny_training(faults.run);
  const ProgramResult whole = faults.train(command, 0, "none");
  INFO(whole.out << whole.err);
  REQUIRE(whole.code == 0);
  const Ended expected(faults.run);
  const long calls = std::stol(slurp(faults.folder / "count"));
  REQUIRE(calls > 40);

  const std::vector<std::string> kinds{"kill", "ENOSPC", "EIO", "EINTR", "short"};
  const bool all = std::getenv("GLIMPSE_ALL_FAULTS") != nullptr;
  const double step = all ? 1 : static_cast<double>(calls * static_cast<long>(kinds.size())) / 60;
  long tried = 0, carried_out = 0;
  for (std::size_t k = 0; k < kinds.size(); ++k)
    for (double at = 1 + static_cast<double>(k) * step / 5; at <= static_cast<double>(calls); at += step) {
      const std::string& kind = kinds[k];
      const long call = static_cast<long>(at);
      faults.begin();
      const ProgramResult r = faults.train(command, call, kind);
      CAPTURE(kind, call, calls);
      INFO(r.out << r.err);
      ++tried;
      carried_out += r.code != 0;
      if (kind == "kill") {
        REQUIRE(r.signal == SIGKILL);
      } else {
        REQUIRE(r.signal == 0);
        REQUIRE((r.code == 0 || r.code == 1));
        if (kind == "EINTR" || kind == "short") REQUIRE(r.code == 0);
        if (r.code == 1) REQUIRE(std::count(r.err.begin(), r.err.end(), '\n') == 1);
        if (r.code == 1) REQUIRE_THAT(r.err, Contains("train_flickr: " + faults.run));
      }
      if (kind != "kill" && kind != "EIO" && kind != "ENOSPC") faults.require_no_leftovers();
      REQUIRE(slurp(faults.neighbour) == "not this run's");
      std::vector<std::string> resume = command;
      resume.insert(resume.begin() + 1, "--resume");
      const ProgramResult rest = faults.train(resume, 0, "none");
      INFO(rest.out << rest.err);
      REQUIRE(rest.code == 0);
      REQUIRE(Ended(faults.run) == expected);
      faults.require_no_leftovers();
    }
  REQUIRE(tried >= 40);
  REQUIRE(carried_out >= tried / 4);
}
