/* A program that knows nothing of hotpatch: it opens a library and calls two of its functions five times a second. */
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>

#include "game.h"

int main(int argc, char **argv) {
  void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
  if (library == NULL) {
    fprintf(stderr, "usage: host LIBRARY: %s\n", argc > 1 ? dlerror() : "no library named");
    return 1;
  }
  int (*damage)(const struct player *, int) = (int (*)(const struct player *, int))dlsym(library, "damage");
  const char *(*greeting)(const struct player *) =
      (const char *(*)(const struct player *))dlsym(library, "greeting");
  if (damage == NULL || greeting == NULL) {
    fprintf(stderr, "host: %s\n", dlerror());
    return 1;
  }
  struct player player = {"ada", 100};
  for (int tick = 1;; tick++) {
    printf("tick %d damage %d greeting \"%s\"\n", tick, damage(&player, tick), greeting(&player));
    fflush(stdout);
    nanosleep(&(struct timespec){0, 200 * 1000 * 1000}, NULL);
  }
}
