#pragma once
// Runs one of Glimpse's programs as a user would, and keeps what it said.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "scratch_folder.h"

namespace glimpse {

struct ProgramResult {
  int code = -1;  ///< exit code; -1 when a signal ended it
  int signal = 0;
  std::string out, err;
  double seconds = 0;
};

struct ProgramOptions {
  std::string input{};       ///< stdin
  std::string folder{};      ///< working directory, if not this one
  int signal_after_ms = -1;  ///< sends `signal` so long after the start
  int signal = SIGKILL;
  std::string wait_for{};                  ///< the time counts from when this file exists
  long largest_file = -1;                  ///< bytes: writing more fails, as on a full disk
  long address_space = -1;                 ///< bytes: asking for more memory fails
  std::string out{};                       ///< a file that takes stdout, such as /dev/full; "closed": none does
  std::string err{};                       ///< the same for stderr
  bool signals_ignored = false;            ///< starts with SIGHUP ignored, as under nohup
  std::vector<std::string> environment{};  ///< NAME=VALUE, besides this process's
};

inline std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// arguments[0] is the program's name in the folder of programs.
inline ProgramResult run_program(std::vector<std::string> arguments, const ProgramOptions& options = {}) {
  const ScratchFolder scratch;
  const std::string in = scratch.file("in", options.input), out = scratch / "out", err = scratch / "err";
  arguments[0] = std::string(GLIMPSE_BIN) + "/" + arguments[0];
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const auto begin = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    dup2(open(in.c_str(), O_RDONLY | O_CLOEXEC), 0);
    const auto take = [](int stream, const std::string& wanted, const std::string& usual) {
      dup2(open((wanted.empty() || wanted == "closed" ? usual : wanted).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644),
           stream);
    };
    take(1, options.out, out);
    take(2, options.err, err);
    if (options.out == "closed") close(1);
    if (options.err == "closed") close(2);
    if (options.signals_ignored) std::signal(SIGHUP, SIG_IGN);
    setenv("XDG_CACHE_HOME", (scratch / "cache").c_str(), 1);  // a test leaves nothing in the user's
    for (const std::string& variable : options.environment) {
      const std::size_t equals = variable.find('=');
      setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
    }
    if (!options.folder.empty() && chdir(options.folder.c_str()) != 0) _exit(126);
    if (options.largest_file >= 0) {
      const rlimit limit{static_cast<rlim_t>(options.largest_file), static_cast<rlim_t>(options.largest_file)};
      setrlimit(RLIMIT_FSIZE, &limit);
    }
    if (options.address_space >= 0) {
      const rlimit limit{static_cast<rlim_t>(options.address_space), static_cast<rlim_t>(options.address_space)};
      setrlimit(RLIMIT_AS, &limit);
    }
    execv(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  bool ended = false;
  const auto sleep = [](int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); };
  if (options.signal_after_ms >= 0) {
    while (!ended && !options.wait_for.empty() && access(options.wait_for.c_str(), F_OK) != 0) {
      sleep(1);
      ended = waitpid(child, &status, WNOHANG) == child;
    }
    if (!ended) {
      sleep(options.signal_after_ms);
      kill(child, options.signal);
    }
  }
  if (!ended) waitpid(child, &status, 0);
  ProgramResult result;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  result.out = slurp(out);
  result.err = slurp(err);
  return result;
}

}  // namespace glimpse
