#include "program.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <system_error>

#include "glimpse/engine/version.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/base/precision.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/kernels/base/utf8.h"
#include "glimpse/kernels/cuda/runtime.h"
#include "glimpse/models/captioner/observer.h"

namespace glimpse::tools {

namespace {

constexpr const char* exit_codes =
    "Exit code: 0 all done; 1 something failed, said on stderr; 2 a wrong command line; 130 stopped by Ctrl-C.";

/// What to say of the first option that does not exist; "" when all do.
std::string unknown_option(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--") break;
    if (!argument.starts_with("--")) continue;
    const std::string name(argument.substr(0, argument.find('=')));
    if (std::find(names.begin(), names.end(), name) == names.end())
      return fmt::format("there is no option {:.100}{}", name, did_you_mean(name, names));
  }
  return "";
}

}  // namespace

void parse_arguments(CLI::App& app, int argc, char** argv) {
  app.set_version_flag("--version", fmt::format("{} (Glimpse {}), {}", app.get_name(), version(), built_with()));
  app.footer(exit_codes);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    throw Exit{app.exit(e)};
  } catch (const CLI::ParseError& e) {
    const std::string unknown = unknown_option(app, argc, argv);
    std::string message = unknown.empty() ? e.what() : unknown;
    std::replace(message.begin(), message.end(), '\n', ' ');
    write_text(stderr,
               fmt::format("{}: {} (see {} --help)\n", app.get_name(), printable(message, 2000), app.get_name()));
    throw Exit{2};
  }
}

namespace {

int output_error = 0;  // errno of the first failure on stdout

/// Files opened later must not take the places of standard streams that the program was started without. What is
/// written to stdout then fails, as it would without a file there; stderr is for people, and may be gone.
void keep_standard_streams() {
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream)
    if (::fcntl(stream, F_GETFD) < 0 && errno == EBADF)
      (void)!::open("/dev/null", stream == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

bool output_is_lost() {
  const bool failed = std::fflush(stdout) != 0;
  if (failed && output_error == 0) output_error = errno;
  return failed || std::ferror(stdout) != 0;
}

std::string lost_output() {
  return fmt::format("stdout: output was lost{}",
                     output_error == 0 ? "" : fmt::format(": {}", std::strerror(output_error)));
}

int guarded(const std::string& name, const std::function<void()>& body) {
  const auto complain = [&](const char* message) {
    write_text(stderr, fmt::format("{}: {}\n", name, printable_lines(message)));
  };
  try {
    body();
    return 0;
  } catch (const Exit& e) {
    return e.code;
  } catch (const Stopped&) {
    complain("stopped");
    return stopped_exit_code;
  } catch (const std::bad_alloc&) {
    complain("out of memory");
  } catch (const std::system_error& e) {  // {fmt}'s, where stdout takes nothing more; run_program says so
    if (!output_is_lost()) complain(e.what());
  } catch (const std::exception& e) {
    complain(e.what());
  }
  return 1;
}

}  // namespace

int run_program(const std::string& name, const std::function<void()>& body) {
  keep_standard_streams();
  // Writing to a reader that is gone, or beyond a limit of file sizes, is an error that says what could not be written.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  const int code = guarded(name, body);
  if (!output_is_lost()) return code;
  write_text(stderr, fmt::format("{}: {}\n", name, lost_output()));
  return code == 0 ? 1 : code;
}

void write_text(std::FILE* stream, std::string_view text) {
  const bool taken = std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0;
  if (!taken && stream == stdout && output_error == 0) output_error = errno;
}

void require_output() { check(!output_is_lost(), "{}", lost_output()); }

std::string beside(const std::string& program, const std::string& name) {
  return program.substr(0, program.rfind('/') + 1) + name;
}

std::string shell_word(const std::string& text) {
  const std::string plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+=:,@%";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

void use_threads(int count) {
  if (count > 0) kernels::set_threads(count);
}

void add_device_options(CLI::App& app, DeviceOptions& options) {
  app.add_option("--device", options.device, "cpu or cuda")
      ->check(CLI::IsMember(choice_names<Device>()))
      ->capture_default_str();
  app.add_option("--matmul", options.matmul, matmul_help)
      ->check(CLI::IsMember(choice_names<MatmulPrecision>()))
      ->capture_default_str();
}

Device use_device(const DeviceOptions& options) {
  const Device device = *choice_named<Device>(options.device);
  glimpse::use_device(device, *choice_named<MatmulPrecision>(options.matmul));
  return device;
}

}  // namespace glimpse::tools
