/** Memory of a host's that nobody has touched: a session does not make it resident. */
import { readFileSync } from "node:fs";
import { library } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Lines, Workshop } from "../support/workshop.js";

/** MB of each mapping. */
const SIZE = 256;

/** Maps memory in the ways in which Frida takes it for a file that may be a library, and touches none of it. */
const HOST = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>
int main(int argc, char **argv) {
  size_t size = ${SIZE} << 20;
  void *library = dlopen(argv[1], RTLD_NOW);
  int (*value)(int) = (int (*)(int))dlsym(library, "value");
  int file = open(argv[2], O_CREAT | O_RDWR, 0600), named = memfd_create("named", 0), group = shmget(IPC_PRIVATE, size, 0600 | IPC_CREAT);
  ftruncate(file, size);
  ftruncate(named, size);
  mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, named, 0);
  shmat(group, NULL, 0);
  shmctl(group, IPC_RMID, NULL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int last = -1;; usleep(1000)) if (value(1) != last) printf("value %d\\n", last = value(1));
  return argc - 3;
}
`;

test("shared memory and mapped files that nobody has touched stay untouched through attach, switch and end", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", HOST), [lib, shop.path("mapped")]);
  const output = new Lines(host.stdout);
  const says = (n: number) => output.next((line) => line === `value ${n}`, `value ${n}`, output.all.length - 1);
  const resident = () => {
    const [all = "", ...mappings] = readFileSync(`/proc/${host.pid}/smaps`, "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
    const big = [all, ...mappings].filter((one) => /^Size: +262144 kB/m.test(one));
    return big.map((one) => Number(/^Rss: +(\d+)/m.exec(one)?.[1]));
  };
  await says(1);
  t.deepEqual(resident(), [0, 0, 0, 0]);
  const tool = Tool.attach(shop, [String(host.pid)]);
  await tool.ready();
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await says(2);
  t.is(await tool.end(), 0);
  await says(1);
  // The first page of each is looked at, where huge pages are on that is 2 MB.
  for (const kb of resident()) t.true(kb <= 4096, `${kb} kB of ${SIZE} MB`);
  t.is(resident().length, 4);
});
