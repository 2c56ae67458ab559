/*
 * The hammered host: THREADS threads call the library of argv[1] without a pause, and check every result. What may be
 * expected stands on the board, a file (argv[2]) that host and driver both map; what was seen is written there too.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>
#include "library.h"

enum { THREADS = 8, TURNS_PER_LOOK = 64, CALLS_PER_TURN = 11 };

/* Written by the driver. */
struct expected {
  long phase;   /* odd: generations may go down, or have gone down just now; even: they only go up */
  long floor;   /* of an even phase: a switch to this generation has been reported */
  long ceiling; /* no newer generation exists */
};

/* Written by one thread each. */
struct alignas(64) seen {
  long calls;
  long impossible; /* results that no generation gives */
  long fell;       /* (new, old): a generation, and then an older one, in a phase that only goes up */
  long stale;      /* an older generation than one whose switch had been reported */
  long example[3]; /* the first fault: which call, what was expected at least, what was seen */
  long signals;    /* handlers that called the library */
  long steady;     /* looks that lay within one even phase */
  long rose;       /* those of them that a switch happened in */
};

struct board {
  expected want;
  alignas(64) seen threads[THREADS];
};

static board *shared;
static speaker *object;
static long (*generation_)(), (*leaf_)(long), (*deep_)(long), (*outer_)(), (*through_)(long (*)(long), long),
    (*throws_)(long), (*catches_)(long), (*local_)(), (*newest_)();
static double (*wide_)(double, double, double, double, double, double, double, double, double, long);
static thread_local seen *mine;

static long load(const long &word) { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); }

/* Follows one thread's view of the generations through a phase. Faults count only if the phase lasted as long as it. */
struct view {
  long phase = load(shared->want.phase);
  long floor = load(shared->want.floor);
  long last = floor;
  long seen_first = -1;
  long call = 0, impossible = 0, fell = 0, stale = 0, example[3] = {};

  /* The next call was answered by `generation`. */
  void saw(long generation) {
    call++;
    bool was_fine = impossible + fell + stale == 0;
    if (generation < 0 || generation > load(shared->want.ceiling)) impossible++;
    else if (generation < floor) stale++;
    else if (generation < last) fell++;
    else {
      if (seen_first < 0) seen_first = generation;
      last = generation;
      return;
    }
    if (!was_fine) return;
    example[0] = call, example[1] = last, example[2] = generation;
  }

  /* `outside` * 1000 + `inside`: the outer body was entered before the inner one. */
  void saw_pair(long both) {
    saw(both / 1000);
    saw(both % 1000);
  }

  void end(seen &to) {
    bool steady = (phase & 1) == 0 && load(shared->want.phase) == phase;
    bool first = to.impossible + to.fell + to.stale == 0;
    to.impossible += impossible;
    if (steady) to.steady++, to.rose += last > seen_first, to.fell += fell, to.stale += stale;
    if (first && to.impossible + to.fell + to.stale > 0)
      for (int i = 0; i < 3; i++) to.example[i] = example[i];
  }
};

static void turn(view &v) {
  v.saw(leaf_(100) - 100);
  v.saw(generation_());
  v.saw_pair(outer_());
  v.saw(object->speak(7) - 7);
  try {
    throws_(5);
    v.saw(-1);
  } catch (long thrown) {
    v.saw(thrown - 5);
  }
  v.saw_pair(catches_(0));
  v.saw_pair(through_(leaf_, 0));
  v.saw(local_());
  v.saw((long)wide_(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) - 55);
  v.saw_pair(newest_());
  long levels = deep_(20) - 20000; /* the sum of twenty generations: never less than twenty times the last */
  v.saw(levels >= 20 * v.last ? (levels + 19) / 20 : levels / 20);
}

static void on_timer(int) {
  if (mine == nullptr) return;
  view v;
  v.saw(generation_());
  v.saw_pair(outer_());
  v.end(*mine);
  mine->signals++;
}

static void *hammer(void *p) {
  mine = (seen *)p;
  setpriority(PRIO_PROCESS, gettid(), 19); /* what changes the code comes in at any instruction, and soon */
  for (;;) {
    view v;
    for (int i = 0; i < TURNS_PER_LOOK; i++) turn(v);
    v.end(*mine);
    __atomic_store_n(&mine->calls, mine->calls + TURNS_PER_LOOK * CALLS_PER_TURN, __ATOMIC_RELEASE);
  }
  return p;
}

template <class F> static void find(void *library, const char *name, F &f) {
  f = (F)dlsym(library, name);
  if (f == nullptr) fprintf(stderr, "%s\n", dlerror()), exit(1);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  void *library = dlopen(argv[1], RTLD_NOW);
  if (library == nullptr) return fprintf(stderr, "%s\n", dlerror()), 1;
  find(library, "generation", generation_);
  find(library, "leaf", leaf_);
  find(library, "deep", deep_);
  find(library, "outer", outer_);
  find(library, "through", through_);
  find(library, "throws", throws_);
  find(library, "catches", catches_);
  find(library, "local", local_);
  find(library, "wide", wide_);
  find(library, "newest", newest_);
  speaker *(*make)();
  find(library, "_Z12make_speakerv", make);
  object = make();
  int file = open(argv[2], O_RDWR);
  shared = (board *)mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (shared == MAP_FAILED) return perror(argv[2]), 1;
  close(file);
  /* Interrupts whichever thread runs, inside thunks too. */
  struct sigaction action = {};
  action.sa_handler = on_timer;
  action.sa_flags = SA_RESTART;
  sigaction(SIGPROF, &action, nullptr);
  sigset_t timer;
  sigemptyset(&timer);
  sigaddset(&timer, SIGPROF);
  for (int i = 0; i < THREADS; i++) {
    pthread_t thread;
    pthread_create(&thread, nullptr, hammer, &shared->threads[i]);
  }
  pthread_sigmask(SIG_BLOCK, &timer, nullptr);
  itimerval every = {{0, 2000}, {0, 2000}};
  setitimer(ITIMER_PROF, &every, nullptr);
  printf("hammering\n");
  fflush(stdout);
  pause();
  return 0;
}
