#pragma once
// A page in headless Chromium, moved as a hand would move it: through the DevTools protocol over two pipes
// (chromedevtools.github.io/devtools-protocol), so that pointer and keys take the way that a user's take.

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>

#include "scratch_folder.h"

namespace glimpse {

class Browser {
 public:
  using Json = nlohmann::json;

  /// Starts `program`, a Chromium. Throws std::runtime_error where it does not answer.
  explicit Browser(const std::string& program) {
    int in[2], out[2];  // as the browser sees them
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    const std::string profile = "--user-data-dir=" + (folder_ / "profile"), log = folder_ / "log";
    process_ = fork();
    if (process_ < 0) throw std::runtime_error("cannot fork");
    if (process_ == 0) {
      setpgid(0, 0);
      const int from = fcntl(in[0], F_DUPFD, 10), to = fcntl(out[1], F_DUPFD, 10);  // not 3 and 4 themselves
      dup2(from, 3);
      dup2(to, 4);
      dup2(open(log.c_str(), O_CREAT | O_WRONLY, 0644), 2);
      // No sandbox: in a container, and for root, there is none to be had; the page is this project's own.
      execl(program.c_str(), program.c_str(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--remote-debugging-pipe", profile.c_str(), "about:blank", nullptr);
      _exit(127);
    }
    close(in[0]);
    close(out[1]);
    to_ = in[1];
    from_ = out[0];
    try {
      attach();
    } catch (...) {
      stop();
      throw;
    }
  }
  ~Browser() { stop(); }
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  /// A window of so many CSS pixels, for a reader who likes it `scheme`: "light" or "dark".
  void look(int width, int height, const std::string& scheme) {
    call("Emulation.setDeviceMetricsOverride",
         {{"width", width}, {"height", height}, {"deviceScaleFactor", 1}, {"mobile", width < 600}});
    call("Emulation.setEmulatedMedia", {{"features", {{{"name", "prefers-color-scheme"}, {"value", scheme}}}}});
  }
  void open_page(const std::string& path) {
    call("Page.navigate", {{"url", "file://" + path}});
    for (int i = 0; evaluate("location.protocol + document.readyState") != "file:complete"; ++i) {
      if (i == 1000) throw std::runtime_error(path + " does not load");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  /// The value of an expression in the page; null for undefined. Throws std::runtime_error where it throws.
  Json evaluate(const std::string& expression) {
    const Json answer = call("Runtime.evaluate", {{"expression", expression}, {"returnByValue", true}});
    if (answer.contains("exceptionDetails"))
      throw std::runtime_error(expression + ": " + answer["exceptionDetails"].dump());
    return answer["result"].value("value", Json());
  }
  /// Moves the pointer to the middle of an element, which is scrolled to; `index` among those that `selector` finds.
  void point_at(const std::string& selector, int index = 0) {
    const Json at = middle(selector, index);
    call("Input.dispatchMouseEvent", {{"type", "mouseMoved"}, {"x", at[0]}, {"y", at[1]}});
  }
  void click() {
    for (const char* type : {"mousePressed", "mouseReleased"})
      call("Input.dispatchMouseEvent", {{"type", type}, {"x", x_}, {"y", y_}, {"button", "left"}, {"clickCount", 1}});
  }
  /// A finger's tap in the middle of an element.
  void tap(const std::string& selector, int index = 0) {
    const Json at = middle(selector, index);
    call("Input.dispatchTouchEvent", {{"type", "touchStart"}, {"touchPoints", {{{"x", at[0]}, {"y", at[1]}}}}});
    call("Input.dispatchTouchEvent", {{"type", "touchEnd"}, {"touchPoints", Json::array()}});
  }
  /// A key by its name ("Tab", "ArrowRight") and code of the DOM.
  void press(const std::string& key, int code) {
    for (const char* type : {"rawKeyDown", "keyUp"})
      call("Input.dispatchKeyEvent", {{"type", type}, {"key", key}, {"code", key}, {"windowsVirtualKeyCode", code}});
  }

 private:
  void attach() {
    const Json page = call("Target.createTarget", {{"url", "about:blank"}})["targetId"];
    session_ = call("Target.attachToTarget", {{"targetId", page}, {"flatten", true}})["sessionId"];
    call("Page.enable");
  }
  void stop() {
    close(to_);
    close(from_);
    kill(-process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  /// (x, y) in the window.
  Json middle(const std::string& selector, int index) {
    Json at = evaluate("(() => { const e = document.querySelectorAll('" + selector + "')[" + std::to_string(index) +
                       "]; e.scrollIntoView({block: 'center', behavior: 'instant'}); const b = "
                       "e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()");
    x_ = at[0];
    y_ = at[1];
    return at;
  }
  /// Sends a command and waits for its answer; events in between are dropped.
  Json call(const std::string& method, const Json& parameters = Json::object()) {
    Json message = {{"id", ++id_}, {"method", method}, {"params", parameters}};
    if (!session_.empty()) message["sessionId"] = session_;
    const std::string text = message.dump();
    if (write(to_, text.c_str(), text.size() + 1) != static_cast<ssize_t>(text.size() + 1))  // ends with a zero byte
      throw std::runtime_error(method + ": the browser is gone");
    for (;;) {
      const Json answer = Json::parse(next());
      if (answer.value("id", 0) != id_) continue;
      if (answer.contains("error")) throw std::runtime_error(method + ": " + answer["error"].dump());
      return answer["result"];
    }
  }
  std::string next() {
    std::size_t end;
    while ((end = pending_.find('\0')) == std::string::npos) {
      pollfd ready{from_, POLLIN, 0};
      char bytes[65536];
      const ssize_t count = poll(&ready, 1, 60'000) == 1 ? read(from_, bytes, sizeof bytes) : -1;
      if (count <= 0) throw std::runtime_error("the browser does not answer: " + slurp_log());
      pending_.append(bytes, static_cast<std::size_t>(count));
    }
    const std::string one = pending_.substr(0, end);
    pending_.erase(0, end + 1);
    return one;
  }
  std::string slurp_log() const {
    std::ifstream file(folder_ / "log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  ScratchFolder folder_;
  pid_t process_ = -1;
  int to_ = -1, from_ = -1, id_ = 0;
  std::string session_, pending_;
  double x_ = 0, y_ = 0;
};

}  // namespace glimpse
