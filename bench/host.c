/* Measures itself: requests on stdin, answers on stdout, one per line. argv[1]: the library. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static long now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static long (*generation)(void), (*marked)(long), (*unmarked)(long);
static atomic_long longest_gap;
static pthread_mutex_t print = PTHREAD_MUTEX_INITIALIZER;

static void say(const char *what, double a, double b) {
  pthread_mutex_lock(&print);
  printf("%s %.4f %.4f\n", what, a, b);
  fflush(stdout);
  pthread_mutex_unlock(&print);
}

/* Calls without a pause; reports when a new generation answers, and the longest gap between two calls. */
static void *watch(void *p) {
  long last = now(CLOCK_MONOTONIC), runs = -1;
  for (;;) {
    long n = generation(), t = now(CLOCK_MONOTONIC);
    if (t - last > longest_gap) longest_gap = t - last;
    last = t;
    if (n != runs) {
      runs = n;
      say("runs", (double)n, now(CLOCK_REALTIME) / 1e6);
      last = now(CLOCK_MONOTONIC);
    }
  }
  return p;
}

/* ns per call, the best of several rounds. Eight calls per iteration, so that the loop itself hardly counts. */
static double cost(long (*f)(long)) {
  double best = 1e9;
  long began = now(CLOCK_MONOTONIC);
  for (int round = 0; round < 300 && now(CLOCK_MONOTONIC) - began < 500000000L; round++) {
    long x = 0, start = now(CLOCK_MONOTONIC);
    for (int i = 0; i < 12500; i++) {
      x = f(x); x = f(x); x = f(x); x = f(x);
      x = f(x); x = f(x); x = f(x); x = f(x);
    }
    double each = (now(CLOCK_MONOTONIC) - start) / 1e5;
    if (each < best) best = each;
  }
  return best;
}

int main(int argc, char **argv) {
  void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
  if (library == NULL) return 1;
  generation = (long (*)(void))dlsym(library, "generation");
  marked = (long (*)(long))dlsym(library, "marked");
  unmarked = (long (*)(long))dlsym(library, "unmarked");
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strcmp(line, "watch\n") == 0) {
      pthread_t thread;
      pthread_create(&thread, NULL, watch, NULL);
    } else if (strcmp(line, "gap\n") == 0) {
      say("gap", atomic_exchange(&longest_gap, 0) / 1e6, 0);
    } else if (strcmp(line, "cost\n") == 0) {
      double a = cost(marked), b = cost(unmarked), c = cost(marked), d = cost(unmarked);
      say("cost", a < c ? a : c, b < d ? b : d);
    }
  }
  return 0;
}
