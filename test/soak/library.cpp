/* The hammered library; built once per generation with -DGENERATION=n -DNEWEST=name. */
#include "library.h"

extern "C" {
HOTPATCH long NEWEST();

long generation() { return GENERATION; }
long leaf(long x) { return x + GENERATION; }
long deep(long x) { return x == 0 ? 0 : 1000 + GENERATION + deep(x - 1); }
long outer() { return GENERATION * 1000 + generation(); }
long through(long (*f)(long), long x) { return GENERATION * 1000 + f(x); }
long throws(long x) { throw x + GENERATION; }
long catches(long x) {
  try {
    return throws(x);
  } catch (long thrown) {
    return GENERATION * 1000 + thrown;
  }
}
long local() {
  static thread_local long before, now;
  now++;
  return now == ++before ? GENERATION : -1;
}
double wide(double a, double b, double c, double d, double e, double f, double g, double h, double i, long j) {
  return a + b + c + d + e + f + g + h + i + double(j) + GENERATION;
}
long newest() { return GENERATION * 1000 + NEWEST(); }
}

HOTPATCH long speaker::speak(long x) { return x + GENERATION; }
speaker::~speaker() {}
speaker *make_speaker() { return new speaker; }
