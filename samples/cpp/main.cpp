// A program that knows nothing of hotpatch: an aquarium that is redrawn ten times a second, one line each time.
#include <chrono>
#include <iostream>
#include <thread>

#include "aquarium.h"

int main() {
  const auto pause = std::chrono::milliseconds(100);
  for (;;) {
    step(std::chrono::duration<double>(pause).count());
    std::cout << picture() << std::endl;
    std::this_thread::sleep_for(pause);
  }
}
