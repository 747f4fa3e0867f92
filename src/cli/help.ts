/** What `--help` prints: one text a command, made to be read by a person. */

/** The commands, and the whole. */
export type HelpTopic = "powerhose" | "run" | "work" | "status";

const POWERHOSE = `Runs a JavaScript function over many lines, on all cores of this machine and of others.

  powerhose run <module> [files…]            run a job for each line of the files, or of stdin
  powerhose work <module> --connect <url>    lend this machine's cores to a run elsewhere
  powerhose status <url>                     see how a run that listens is doing

A module is a JavaScript file whose default export (or the one after a #, as in jobs.js#square)
takes a job and returns text or bytes:

  export default (job) => String(Number(job.data) ** 2);

Examples:
  seq 1 100000 | powerhose run square.js | tail -1
  powerhose run --help

Options:
  -h, --help       this, or the same of a command: powerhose run --help
  -V, --version    the version

Exit codes: 0 all jobs succeeded, 1 some failed, 2 the command line is wrong, 130 interrupted.`;

const RUN = `Runs a job for each line of the input and prints the results in the order of the lines.

  powerhose run [options] <module>[#export] [files…]

Without files, or for the file -, reads stdin. Empty lines are jobs too. Progress and a summary
go to stderr, so that stdout holds nothing but results.

Workers:
  -w, --workers <n>       threads on this machine; default one per core; 0 with --listen: none
  -c, --capacity <n>      jobs a thread has at a time; default 1; more for handlers that wait
      --listen <[host:]port>  lets workers on other machines join; 0 takes a free port
      --token <secret>    what they must show; better set POWERHOSE_TOKEN, which ps does not show
      --origin <origin>   lets tabs of this web page join too: https://app.example; may be repeated

Page:
      --page              with --listen: a live page, on the same port; its address is printed
      --admin-token <secret>  who shows it there may send workers away and drain the run;
                          better set POWERHOSE_ADMIN_TOKEN
      --lend <file>       an ES module that visitors of the page can lend their tab to run
      --linger <seconds>  keeps the page up after the run; Ctrl-C ends it; default 0

Input:
      --jsonl             each line is one JSON value, handed over as it is written
  -0, --null              jobs, and results, end with a zero byte instead of a newline

Output:
  -u, --unordered         print results as they come
  -o, --output <format>   text (default) or jsonl: one record a job, with errors and times
  -q, --quiet             no progress, no summary, no messages about single jobs

Failures:
      --attempts <n>      tries for a job whose worker was lost or timed out; default 3
      --timeout <time>    limit of one try: 500ms, 30s, 5m, none; default none
      --deadline <time>   limit of a job in all, waiting included; default none
      --fail-fast         stop at the first job that fails
      --max-payload <bytes>   the largest line and result; default 1048576, at most 268435456

Long runs:
      --joblog <file>     note each finished job in a file
      --resume            leave out the jobs that the file says have succeeded

Examples:
  seq 1 100000 | powerhose run square.js | tail -1
  powerhose run resize.js#thumbnail --joblog done.log photos.txt > thumbnails.txt
  powerhose run resize.js#thumbnail --joblog done.log --resume photos.txt >> thumbnails.txt
  find . -name '*.md' -print0 | powerhose run -0 check.js | tr '\\0' '\\n'
  powerhose run --jsonl -o jsonl score.js games.jsonl | jq 'select(.ok | not)'
  POWERHOSE_TOKEN=secret powerhose run --listen 0.0.0.0:7070 mine.js words.txt
  powerhose run --listen 7070 --page --lend mine.js --linger 60 mine.js words.txt

Signals: the first Ctrl-C (or SIGTERM) finishes what runs, the second stops at once.
Environment: POWERHOSE_WORKERS, POWERHOSE_TOKEN, POWERHOSE_ADMIN_TOKEN, NO_COLOR.
Exit codes: 0 all jobs succeeded, 1 some failed, 2 the command line is wrong, 130 interrupted.`;

const WORK = `Lends this machine's cores to a run that listens elsewhere. Reconnects for ever. What handlers
print goes to stderr.

  powerhose work [options] <module>[#export] --connect <url>

      --connect <url>     where the run listens: ws://127.0.0.1:7070/ or wss://…
      --token <secret>    what the run wants to see; better set POWERHOSE_TOKEN
  -w, --workers <n>       threads; default one per core
  -c, --capacity <n>      jobs a thread has at a time, 1 to 60; default 1
      --identity <name>   what it is called in status and logs; default made from the host's name
      --labels <a,b>      what it has, for jobs that require it
      --allow-insecure    allow ws:// to another machine: everybody on the way can read along
      --max-payload <bytes>   the largest job and result; default 1048576; as the run's
      --once              end when the run it worked for is over, instead of waiting for the next
  -q, --quiet             no messages

The module may differ from the run's: it is this machine's handler that runs.

Examples:
  powerhose work mine.js --connect ws://127.0.0.1:7070/
  POWERHOSE_TOKEN=secret powerhose work mine.js --connect wss://jobs.example/ --labels gpu

Signals: the first Ctrl-C (or SIGTERM) finishes what runs and leaves, the second stops at once.
Environment: POWERHOSE_CONNECT, POWERHOSE_WORKERS, POWERHOSE_TOKEN, NO_COLOR.
Exit codes: 0 stopped in good order, 1 refused or out of threads, 2 the command line is wrong,
130 stopped at once.`;

const STATUS = `Shows the workers, the queue and the rate of a run that listens.

  powerhose status [options] <url>

The URL is the one its workers dial, ws:// or http://.

      --token <secret>    what the run wants to see; better set POWERHOSE_TOKEN
      --json              for programs
      --allow-insecure    allow http:// to another machine

Examples:
  powerhose status ws://127.0.0.1:7070/
  powerhose status ws://127.0.0.1:7070/ --json | jq .workers

Environment: POWERHOSE_TOKEN.
Exit codes: 0 answered, 1 no answer or refused, 2 the command line is wrong.`;

/** The texts. */
export const HELP: Readonly<Record<HelpTopic, string>> = Object.freeze({
  powerhose: POWERHOSE,
  run: RUN,
  work: WORK,
  status: STATUS,
});
