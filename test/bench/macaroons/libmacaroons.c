/*
 * libmacaroons in a loop of its own: what is measured is the C library, and no binding to it.
 *
 *   peer SECRET LOCATION IDENTIFIER CAVEAT_SECRET THIRD_PARTY TICKET ADDED PREDICATE...
 *
 * Answers every line of its input with one line, and ends with its input. N is a number of caveats: the first N predicates.
 *
 *   create N                       the root, in V1
 *   discharge N ROOT               the discharge with N caveats, bound to the root, in V1
 *   accepts N ROOT [DISCHARGE]     yes or no
 *   hold N ROOT ROOT DISCHARGE     keeps the root, the one with a third-party caveat and its discharge; answers held
 *   run OPERATION N MS             nanoseconds of processor time that one takes, over at least so many milliseconds of it
 */
#define _POSIX_C_SOURCE 200809L
#include <macaroons.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CAVEATS_MAX 64
#define TEXT_MAX (1 << 16)

typedef const unsigned char *bytes;

struct held {
  char *text;
  struct macaroon *root, *demanding, *discharge;
  struct macaroon_verifier *verifier;
};

static enum macaroon_returncode err;
static struct held held[CAVEATS_MAX + 1];
static const char *secret, *location, *identifier, *caveat_secret, *third_party, *ticket, *added;
static char **predicates;
static int predicate_count;

static void fail(const char *what) {
  fprintf(stderr, "libmacaroons: %s (%d)\n", what, (int)err);
  exit(1);
}

static void *must(void *made) {
  if (made == NULL) fail("a call failed");
  return made;
}

static bytes of(const char *text) { return (bytes)text; }

static struct macaroon *with(const struct macaroon *macaroon, const char *predicate) {
  return must(macaroon_add_first_party_caveat(macaroon, of(predicate), strlen(predicate), &err));
}

static struct macaroon *make(const char *where, const char *key, const char *id, int n) {
  struct macaroon *made = must(macaroon_create(of(where), strlen(where), of(key), strlen(key), of(id), strlen(id), &err));
  for (int i = 0; i < n; i++) {
    struct macaroon *more = with(made, predicates[i]);
    macaroon_destroy(made);
    made = more;
  }
  return made;
}

static struct macaroon *demand(const struct macaroon *root) {
  return must(macaroon_add_third_party_caveat(root, of(third_party), strlen(third_party), of(caveat_secret),
                                              strlen(caveat_secret), of(ticket), strlen(ticket), &err));
}

static struct macaroon *discharge(const struct macaroon *root, int n) {
  struct macaroon *made = make(third_party, caveat_secret, ticket, n);
  struct macaroon *bound = must(macaroon_prepare_for_request(root, made, &err));
  macaroon_destroy(made);
  return bound;
}

static struct macaroon *parse(const char *text) { return must(macaroon_deserialize(text, &err)); }

static struct macaroon_verifier *verifier(int n) {
  struct macaroon_verifier *made = must(macaroon_verifier_create());
  for (int i = 0; i < n; i++)
    if (macaroon_verifier_satisfy_exact(made, of(predicates[i]), strlen(predicates[i]), &err) != 0) fail("no predicate");
  return made;
}

static int accepts(const struct macaroon_verifier *by, const struct macaroon *root, struct macaroon **discharges, size_t n) {
  return macaroon_verify(by, root, of(secret), strlen(secret), discharges, n, &err) == 0;
}

static void verify(const struct held *h, const struct macaroon *root, struct macaroon **discharges, size_t n) {
  if (!accepts(h->verifier, root, discharges, n)) fail("a good token was refused");
}

static void do_parse(struct held *h, int n) {
  (void)n;
  macaroon_destroy(parse(h->text));
}

static void do_verify(struct held *h, int n) {
  (void)n;
  verify(h, h->root, NULL, 0);
}

static void do_parse_verify(struct held *h, int n) {
  (void)n;
  struct macaroon *read = parse(h->text);
  verify(h, read, NULL, 0);
  macaroon_destroy(read);
}

static void do_attenuate(struct held *h, int n) {
  (void)n;
  macaroon_destroy(with(h->root, added));
}

static void do_demand(struct held *h, int n) {
  (void)n;
  macaroon_destroy(demand(h->root));
}

static void do_discharge(struct held *h, int n) { macaroon_destroy(discharge(h->demanding, n)); }

static void do_verify_discharged(struct held *h, int n) {
  (void)n;
  verify(h, h->demanding, &h->discharge, 1);
}

static const struct {
  const char *name;
  void (*run)(struct held *, int);
} operations[] = {
    {"parse", do_parse},         {"verify", do_verify},       {"parse_verify", do_parse_verify},
    {"attenuate", do_attenuate}, {"demand", do_demand},       {"discharge", do_discharge},
    {"verify_discharged", do_verify_discharged},
};

static double cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1e9 + now.tv_nsec;
}

static void answer_run(const char *name, int n, double milliseconds) {
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
    if (strcmp(operations[i].name, name) != 0) continue;
    if (held[n].text == NULL) fail("hold a specimen first");
    double start = cpu_ns(), elapsed = 0;
    long count = 0;
    for (long batch = 1; elapsed < milliseconds * 1e6; batch *= 2) {
      for (long j = 0; j < batch; j++) operations[i].run(&held[n], n);
      count += batch;
      elapsed = cpu_ns() - start;
    }
    printf("%.3f\n", elapsed / count);
    return;
  }
  fail("no such operation");
}

static void answer_text(struct macaroon *macaroon) {
  static char text[TEXT_MAX];
  if (macaroon_serialize(macaroon, text, sizeof text, &err) != 0) fail("cannot serialize");
  printf("%s\n", text);
  macaroon_destroy(macaroon);
}

static void answer_accepts(int n, const char *root, const char *discharge_text) {
  struct macaroon_verifier *by = verifier(n);
  struct macaroon *token = parse(root), *bound = discharge_text == NULL ? NULL : parse(discharge_text);
  printf(accepts(by, token, &bound, bound == NULL ? 0 : 1) ? "yes\n" : "no\n");
  if (bound != NULL) macaroon_destroy(bound);
  macaroon_destroy(token);
  macaroon_verifier_destroy(by);
}

static void answer_hold(int n, const char *root, const char *demanding, const char *bound) {
  struct held *h = &held[n];
  if (h->text != NULL) fail("held already");
  *h = (struct held){must(strdup(root)), parse(root), parse(demanding), parse(bound), verifier(n)};
  printf("held\n");
}

static char *word(void) { return strtok(NULL, " \n"); }

static int count_in(const char *text) {
  int n = text == NULL ? -1 : atoi(text);
  if (n < 0 || n > predicate_count || n > CAVEATS_MAX) fail("not as many predicates");
  return n;
}

static void answer(char *line) {
  const char *what = strtok(line, " \n");
  if (what == NULL) fail("an empty line");
  const char *name = strcmp(what, "run") == 0 ? word() : "";
  int n = count_in(word());
  const char *first = word(), *second = word(), *third = word();
  if (strcmp(what, "create") == 0) answer_text(make(location, secret, identifier, n));
  else if (first == NULL) fail("a word is missing");
  else if (strcmp(what, "run") == 0) answer_run(name, n, atof(first));
  else if (strcmp(what, "accepts") == 0) answer_accepts(n, first, second);
  else if (strcmp(what, "discharge") == 0) {
    struct macaroon *root = parse(first);
    answer_text(discharge(root, n));
    macaroon_destroy(root);
  } else if (strcmp(what, "hold") == 0 && third != NULL) answer_hold(n, first, second, third);
  else fail("no such question");
  fflush(stdout);
}

int main(int argc, char **argv) {
  char *line = NULL;
  size_t size = 0;
  if (argc < 9) return 2;
  secret = argv[1], location = argv[2], identifier = argv[3];
  caveat_secret = argv[4], third_party = argv[5], ticket = argv[6], added = argv[7];
  predicates = argv + 8;
  predicate_count = argc - 8;
  while (getline(&line, &size, stdin) > 0) answer(line);
  free(line);
  return 0;
}
