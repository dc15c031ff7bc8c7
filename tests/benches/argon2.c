/* The oracle of the measure argon2: Debian's reference library with our default parameters. Prints the processor seconds of
 * one hash over as many as the argument says. */
#include <argon2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  const char *password = "correct horse battery staple";
  int count = argc > 1 ? atoi(argv[1]) : 1;
  unsigned char salt[16] = {0}, hash[32];
  double start = now();
  for (int i = 0; i < count; i++) {
    salt[0] = (unsigned char)i;
    /* m = 19456 KiB, t = 2, p = 1 */
    if (argon2id_hash_raw(2, 19456, 1, password, strlen(password), salt, sizeof salt, hash, sizeof hash) != ARGON2_OK) return 1;
  }
  printf("%.9f\n", (now() - start) / count);
  return 0;
}
