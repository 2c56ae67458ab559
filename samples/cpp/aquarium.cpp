// Edit this file while the aquarium runs: a shape, a speed, the water. The fish are the same objects all the time.
#include "aquarium.h"

#include <memory>
#include <vector>

#include "hotpatch.h"

class shark final : public fish {
public:
  using fish::fish;
  std::string shape() const override;
};

struct tank {
  int width = 56;
  long steps = 0;
  std::vector<std::unique_ptr<fish>> inhabitants;
};

// The one thing that must outlive an edit: all generations see the pointer that the first one made.
HOTPATCH_STATE(tank *, home, nullptr);

// Not marked: it follows an edit too, because every copy of the library is bound to its own functions.
static tank &the_tank() {
  tank *&known = HOTPATCH_GET(home);
  if (known == nullptr) {
    known = new tank;
    known->inhabitants.push_back(std::make_unique<fish>(5, 12));
    known->inhabitants.push_back(std::make_unique<fish>(30, -7));
    known->inhabitants.push_back(std::make_unique<shark>(45, 4));
  }
  return *known;
}

HOTPATCH void fish::swim(double seconds, int width) {
  place_ += speed_ * seconds;
  const bool out = swims_right() ? place_ > width - 8 : place_ < 1;
  if (out) speed_ = -speed_;
}

HOTPATCH std::string fish::shape() const { return swims_right() ? "><>" : "<><"; }

HOTPATCH std::string shark::shape() const { return swims_right() ? "\\____/>" : "<\\____/"; }

HOTPATCH void step(double seconds) {
  tank &all = the_tank();
  all.steps += 1;
  for (auto &one : all.inhabitants) one->swim(seconds, all.width);
}

HOTPATCH std::string picture() {
  const tank &all = the_tank();
  std::string line(static_cast<std::size_t>(all.width), '~');
  for (const auto &one : all.inhabitants) {
    const std::string shape = one->shape();
    line.replace(static_cast<std::size_t>(one->place()), shape.size(), shape);
  }
  return std::to_string(all.steps) + " |" + line.substr(0, static_cast<std::size_t>(all.width)) + "|";
}
