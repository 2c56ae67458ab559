/** Small hosts and libraries in C that the end-to-end tests share. Hosts end by themselves after ten minutes at the earliest. */

/**
 * Opens argv[1], calls `int value(int)` ten times a second and prints the result. A second argument is the flag word.
 */
export const DLOPEN_HOST = `
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) {
  void *library = dlopen(argv[1], RTLD_NOW);
  if (library == NULL) { fprintf(stderr, "%s\\n", dlerror()); return 1; }
  int (*value)(int) = (int (*)(int))dlsym(library, "value");
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 0; i < 300000; i++) { printf("value %d\\n", value(1)); usleep(argc > 2 ? 2000 : 20000); }
  return 0;
}
`;

/** The same for a host that links its library. */
export const LINKED_HOST = `
#include <stdio.h>
#include <unistd.h>
int value(int);
int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 0; i < 30000; i++) { printf("value %d\\n", value(1)); usleep(20000); }
  return 0;
}
`;

/** A library whose value(1) is `n`. */
export const library = (n: number | string): string => `
#include "hotpatch.h"
HOTPATCH int value(int x) { return x * (${n}); }
`;
