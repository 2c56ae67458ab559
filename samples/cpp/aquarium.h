// The library's interface, which main.cpp uses.
#pragma once
#include <string>

class fish {
public:
  fish(double place, double speed) : place_(place), speed_(speed) {}
  virtual ~fish() = default;

  // Moves it; at the ends of the tank it turns round.
  virtual void swim(double seconds, int width);
  // What it looks like, seen from the side it swims to.
  virtual std::string shape() const;

  int place() const { return static_cast<int>(place_); }

protected:
  bool swims_right() const { return speed_ > 0; }

  double place_; // characters from the left
  double speed_; // characters a second; below 0: to the left
};

// One step of everything that lives in the tank.
void step(double seconds);

// The tank as one line of text.
std::string picture();
