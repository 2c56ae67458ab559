/* A client that sends its next request as soon as it has an answer: `client PORT GREETING REQUEST END FILE`, the middle
   three in hex. An answer is complete when it ends with END. Writes to FILE, for each request, when it was sent and how
   long it took, as two 64-bit numbers of nanoseconds of CLOCK_MONOTONIC. Prints "answered" on stdout at the first
   answer; SIGTERM ends it. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ended;
static void end(int signal) { ended = signal; }

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static size_t bytes(const char *hex, char *to) {
  size_t n = strlen(hex) / 2;
  for (size_t i = 0; i < n; i++) sscanf(hex + 2 * i, "%2hhx", (unsigned char *)to + i);
  return n;
}

static void ask(int server, const char *request, size_t size, const char *last, size_t last_size) {
  char answer[65536];
  size_t got = 0;
  if (write(server, request, size) != (ssize_t)size) perror("client: write"), exit(2);
  do {
    ssize_t more = read(server, answer + got, sizeof answer - got);
    if (more <= 0) fprintf(stderr, "client: read gave %zd: %m\n", more), exit(3);
    got += more;
  } while (got < last_size || memcmp(answer + got - last_size, last, last_size) != 0);
}

int main(int argc, char **argv) {
  static char greeting[4096], request[4096], last[64];
  if (argc != 6) return 1;
  size_t greeting_size = bytes(argv[2], greeting), size = bytes(argv[3], request), last_size = bytes(argv[4], last);
  FILE *file = fopen(argv[5], "w");
  int server = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (file == NULL || connect(server, (struct sockaddr *)&to, sizeof to) != 0) return 4;
  setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  signal(SIGTERM, end);
  setvbuf(file, NULL, _IOFBF, 1 << 20);
  if (greeting_size > 0) ask(server, greeting, greeting_size, last, last_size);
  ask(server, request, size, last, last_size);
  puts("answered");
  fflush(stdout);
  while (!ended) {
    int64_t one[2] = {now()};
    ask(server, request, size, last, last_size);
    one[1] = now() - one[0];
    fwrite(one, sizeof one, 1, file);
  }
  return fclose(file);
}
