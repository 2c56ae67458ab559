/* What the hammered library offers. Every function's result tells which generation's body answered. */
#pragma once
#include "hotpatch.h"

extern "C" {
HOTPATCH long generation();
HOTPATCH long leaf(long x);                  /* x + generation */
HOTPATCH long deep(long x);                  /* x times (1000 + generation), each level by a call of its own */
HOTPATCH long outer();                       /* generation * 1000 + what `generation` says when called from inside */
HOTPATCH long through(long (*f)(long), long x); /* generation * 1000 + f(x) */
HOTPATCH long throws(long x);                /* throws x + generation */
HOTPATCH long catches(long x);               /* generation * 1000 + what `throws` throws */
HOTPATCH long local();                       /* generation, if its thread-local counter goes up by one each time; else -1 */
HOTPATCH double wide(double a, double b, double c, double d, double e, double f, double g, double h, double i, long j);
HOTPATCH long newest();                      /* generation * 1000 + what the newest function of that generation says */
}

struct speaker {
  virtual long speak(long x);                /* x + generation */
  virtual ~speaker();
};
speaker *make_speaker();
