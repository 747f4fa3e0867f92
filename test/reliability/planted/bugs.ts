/**
 * Bugs to plant in the real core, each a change of one line. A simulation that does not find one of them proves nothing about
 * the promise it breaks. The text has to be there exactly once: when the core changes, the bug has to be planted anew.
 */

/** One bug. */
export interface PlantedBug {
  /** What it does. */
  readonly name: string;
  /** The file of the core it is planted in, without `.ts`. */
  readonly file: string;
  /** The line, or the part of it that is changed. */
  readonly from: string;
  /** What it becomes. */
  readonly to: string;
}

/** All of them. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "slot reused after an unconfirmed abort",
    file: "session/attempt-table",
    from: "attempt.cancelled = reason;",
    to: "attempt.cancelled = reason; this.#inFlight.delete(attempt, this.#capacity); attempt.owner.onSlotFreed(attempt, this.#context.clock.now());",
  },
  {
    name: "late result accepted",
    file: "session/attempt-table",
    from: "if (attempt.cancelled === undefined) settleAttempt(attempt, message, now);",
    to: "settleAttempt(attempt, message, now);",
  },
  {
    name: "old session kept on re-registration",
    file: "runner/registration",
    from: 'holder.refuse("replaced", "REPLACED", "a newer worker of this identity registered");',
    to: "void 0;",
  },
  {
    name: "a waiter lost when a worker is added",
    file: "pool/scheduler",
    from: "const entry = new WorkerEntry(worker, capacity);",
    to: "const entry = new WorkerEntry(worker, capacity); for (const one of this.#queue.all().slice(0, 1)) this.#queue.remove(one);",
  },
  {
    name: "nobody served when a worker is added",
    file: "pool/scheduler",
    from: "} finally {\n      this.#serve(entry);",
    to: "} finally {\n      void 0;",
  },
  {
    name: "retry of a handler error",
    file: "dispatch/retry",
    from: "if (!failure.retryable || history.made >= policy.attempts) return undefined;",
    to: "if (history.made >= policy.attempts) return undefined;",
  },
  {
    name: "no stall guard",
    file: "health/failure-detector",
    from: "return lateBy > this.#interval;",
    to: "return lateBy < 0;",
  },
  {
    name: "job lost on REJECT during drain",
    file: "dispatch/call",
    from: "this.#rejected++;",
    to: 'this.#rejected++; if (reason === "draining") return this.#context.timers.drop(this);',
  },
  {
    name: "double settle on abort racing a result",
    file: "dispatch/call",
    from: 'this.#giveUp("cancelled", () => reason ??',
    to: 'this.error = reason; this.#owner?.onSettled(this); this.#setState("settled"); this.#setState("running");\n    void (reason ??',
  },
  {
    name: "deadline ignored in backoff",
    file: "dispatch/call",
    from: "this.#setTimer(Math.min(after, this.#expires - now, this.#waitingUntil() - now), now);",
    to: "this.#setTimer(after, now);",
  },
  {
    name: "attempts counted for never-sent jobs",
    file: "dispatch/call",
    from: 'this.#record("not-sent");\n    this.#made--;',
    to: 'this.#record("not-sent");',
  },
  {
    name: "attempts counted for handed-back jobs",
    file: "dispatch/call",
    from: 'if (this.#state !== "prefetched") this.#made--;\n    else if (isUnfit)',
    to: 'if (this.#state !== "prefetched") void 0;\n    else if (isUnfit)',
  },
  {
    name: "losses without end",
    file: "dispatch/retry",
    from: "if (history.made >= policy.attempts || history.lost >= policy.maxLost) return undefined;",
    to: "if (history.made >= policy.attempts) return undefined;",
  },
  {
    name: "one attempt too many",
    file: "dispatch/retry",
    from: "if (!policy.retryOnTimeout || history.made >= policy.attempts) return undefined;",
    to: "if (!policy.retryOnTimeout || history.made > policy.attempts) return undefined;",
  },
  {
    name: "worker given one job too many",
    file: "pool/least-loaded-index",
    from: "if (inUse < capacity) {",
    to: "if (inUse <= capacity) {",
  },
  {
    name: "suspect workers get work",
    file: "session/session",
    from: 'if (this.#phase === "suspect") return "suspect";',
    to: "",
  },
  {
    name: "workers that leave get work",
    file: "runner/registration",
    from: "this.#scheduler.withdraw(session);",
    to: "void session;",
  },
  {
    name: "gone session kept in the pool",
    file: "runner/registration",
    from: "this.#scheduler.delete(session);",
    to: "void 0;",
  },
  {
    name: "forged attempt forgiven",
    file: "session/attempt-table",
    from: "if (attempt !== undefined || attemptId >= this.#nextId)",
    to: "if (attemptId < 0)",
  },
  {
    name: "no grace after CANCEL: its confirmation is awaited for ever",
    file: "session/attempt-table",
    from: "this.#context.timers.set(attempt.grace, this.#context.rules.cancelGrace);",
    to: "void attempt.grace;",
  },
  {
    name: "a worker that answers PING given up for one handler",
    file: "session/attempt-table",
    from: "if (isFull || !isAlive) this.#owner.onCancelTimeout();",
    to: "if (this.#held >= 1) this.#owner.onCancelTimeout();",
  },
  {
    name: "a worker without a slot that is not held kept for ever",
    file: "session/attempt-table",
    from: "if (isFull || !isAlive) this.#owner.onCancelTimeout();",
    to: "if (!isAlive) this.#owner.onCancelTimeout();",
  },
  {
    name: "a stuck event loop kept for its neighbours' sake",
    file: "session/attempt-table",
    from: "if (isFull || !isAlive) this.#owner.onCancelTimeout();",
    to: "if (this.#held >= this.#capacity) this.#owner.onCancelTimeout();",
  },
  {
    name: "cancelled handlers not told",
    file: "worker/runner-connection",
    from: "for (const { execution, reason } of aborts) execution.abort(reason);",
    to: "aborts.length = 0;",
  },
  {
    name: "retries never throttled",
    file: "dispatch/retry",
    from: "return this.#tokens > 5;",
    to: "return this.#tokens >= 0;",
  },
  {
    name: "retries queued at the end",
    file: "dispatch/call",
    from: 'if (this.#state === "backoff") return this.#enqueue(now);',
    to: 'if (this.#state === "backoff") return ((this.sequence = 0), this.#enqueue(now));',
  },
  {
    name: "the last comes first",
    file: "collections/linked-queue",
    from: "if (atHead) this.#linkFirst(node);",
    to: "if (!atHead) this.#linkFirst(node);",
  },
  {
    name: "retry on a worker that has failed the job",
    file: "dispatch/call",
    from: "if (!this.#target.pinned) (this.avoid ??= new WeakSet()).add(session);",
    to: "void this.#target;",
  },
  {
    name: "timer kept after settlement",
    file: "dispatch/call",
    from: 'this.#context.timers.drop(this);\n    this.#setState("settled");',
    to: 'this.#setTimer(60_000, this.#context.clock.now()); this.#setState("settled");',
  },
  {
    name: "listener kept on the caller's signal",
    file: "dispatch/call",
    from: "if (this.#options.signal !== undefined) this.#context.aborts.forget(this.#options.signal, this);",
    to: "void 0;",
  },
  {
    name: "drain does not wait",
    file: "dispatch/dispatcher",
    from: "if (this.#isIdle) fn();",
    to: "fn();",
  },
  {
    name: "silence never means death",
    file: "health/failure-detector",
    from: 'if (silence >= this.longestSilence) return "dead";',
    to: "",
  },
  {
    name: "identity of another taken over",
    file: "runner/registration",
    from: "} else if (holder.peer.principal !== session.peer.principal) {",
    to: '} else if (holder.peer.principal === "") {',
  },
  {
    name: "attempt ids used twice",
    file: "session/attempt-table",
    from: "this.#nextId++;",
    to: "this.#nextId = 2;",
  },
  {
    name: "queue without a limit",
    file: "session/attempt-table",
    from: "this.#nextId++;",
    to: "this.#nextId = 2;",
  },
  {
    name: "waiting for a first worker without a limit",
    file: "dispatch/call",
    from: "this.#acquireBy = usable ? undefined : now + this.#options.acquireTimeout;",
    to: "this.#acquireBy = undefined;",
  },
  {
    name: "malformed frames forgiven",
    file: "session/session",
    from: "this.#violation(error.message)",
    to: "void error",
  },
  {
    name: "no time to confirm a CANCEL",
    file: "session/attempt-table",
    from: "this.#context.timers.set(attempt.grace, this.#context.rules.cancelGrace);",
    to: "this.#context.timers.set(attempt.grace, 0);",
  },
  {
    name: "no time to read a backlog",
    file: "health/backpressure",
    from: 'return isHigh && this.unchangedFor(now) >= stallTimeout ? "stuck" : "congested";',
    to: 'return "stuck";',
  },
  {
    name: "a slow reader given up although it reads",
    file: "health/backpressure",
    from: "if (!this.congested || bytes < this.#bytes) this.#since = now;",
    to: "if (!this.congested) this.#since = now;",
  },
  {
    name: "slow readers kept for ever",
    file: "health/backpressure",
    from: 'if (state === "overflow" || state === "stuck")',
    to: "if (bytes < 0)",
  },
  {
    name: "too much kept for a slow reader",
    file: "health/backpressure",
    from: 'if (bytes > maxBuffered + this.#allowance) return "overflow";',
    to: "",
  },
  {
    name: "no strike forgiven",
    file: "session/session",
    from: "if (++this.#strikes > this.#context.rules.maxStrikes)",
    to: "if (++this.#strikes > 0)",
  },
  {
    name: "a handler's wish to wait ignored",
    file: "dispatch/retry",
    from: "throttle.spend() ? Math.max(wish, backoff(random, history.made)) : undefined;",
    to: "throttle.spend() ? backoff(random, history.made) : undefined;",
  },
  {
    name: "stays in the queue added up",
    file: "dispatch/call",
    from: "this.#waitsSince = undefined;",
    to: "void 0;",
  },
  {
    name: "attempts given half their time",
    file: "dispatch/call",
    from: "this.#setTimer(Math.min(timeout, this.#expires - now), now);",
    to: "this.#since -= timeout / 2; this.#setTimer(Math.min(timeout, this.#expires - now) / 2, now);",
  },
  {
    name: "a drain that rejects what has started",
    file: "dispatch/dispatcher",
    from: 'if (call !== undefined && (which === "all" || call.attemptsMade === 0)) call.stop(error(call.jobId), reason);',
    to: "call?.stop(error(call.jobId), reason);",
  },
  {
    name: "a map out of order",
    file: "dispatch/map",
    from: "this.#ready.set(this.#ordered ? outcome.index : this.#arrived++,",
    to: "this.#ready.set(this.#arrived++,",
  },
  {
    name: "a job called back although it has begun",
    file: "worker/runner-connection",
    from: "if (execution.list !== undefined) this.#handBack(execution, reason);",
    to: "this.#handBack(execution, reason);",
  },
  {
    name: "a worker sent more prefetched jobs than it takes",
    file: "pool/least-loaded-index",
    from: "inUse < capacity + entry.prefetchLimit",
    to: "inUse <= capacity + entry.prefetchLimit",
  },
  {
    name: "a job lost ahead of its turn given back for nothing",
    file: "dispatch/call",
    from: '    if (this.#state === "prefetched") {\n      this.#made++;',
    to: '    if (this.#state === "prefetched") {\n      if (this.#made >= 0) return this.#onReturned();',
  },
  {
    name: "the last prefetched job taken for the next",
    file: "session/in-flight",
    from: "const next = this.#waiting.first;",
    to: "const next = this.#waiting.last;",
  },
  {
    name: "labels ignored for free slots",
    file: "pool/worker-index",
    from: "if (selector === undefined || this.#fitsAll(selector))\n      return avoid === undefined ? this.#index.first() : this.#index.firstExcept(avoid);",
    to: "return avoid === undefined ? this.#index.first() : this.#index.firstExcept(avoid);",
  },
  {
    name: "labels ignored for prefetched jobs",
    file: "pool/worker-index",
    from: "if (selector === undefined || this.#fitsAll(selector)) return this.#index.firstForPrefetch();",
    to: "return this.#index.firstForPrefetch();",
  },
  {
    name: "a waiter of another kind lost when a slot is given",
    file: "pool/scheduler",
    from: "this.#grant(entry, waiter, now);\n    return true;",
    to: "for (const one of this.#queue.all()) if (one.selector?.key !== waiter.selector?.key) this.#queue.remove(one);\n    this.#grant(entry, waiter, now);\n    return true;",
  },
  {
    name: "any worker taken for one that has the labels",
    file: "pool/scheduler",
    from: "return selector === undefined ? this.#index.usable > 0 : this.#queue.hasCandidate(selector);",
    to: "return this.#index.usable > 0;",
  },
  {
    name: "nobody told that the last worker of a kind has gone",
    file: "pool/wait-queue",
    from: "if (!usable && this.#workers.hasCandidate(queue.selector)) continue;",
    to: "if (!usable) continue;",
  },
  {
    name: "the youngest of several lines served first",
    file: "pool/selector-queues",
    from: "headSequence < oldest.sequence",
    to: "headSequence > oldest.sequence",
  },
  {
    name: "a CANCEL to be confirmed before its turn",
    file: "session/attempt-table",
    from: "if (!attempt.waits) this.#expectConfirmation(attempt);",
    to: "this.#expectConfirmation(attempt);",
  },
  {
    name: "word of a recalled job used again before its answer",
    file: "session/attempt-table",
    from: "    attempt.recalled = true;\n    return true;",
    to: "    attempt.recalled = true; this.#freeClaim(attempt);\n    return true;",
  },
  {
    name: "job recalled after it has begun",
    file: "transport/shared-claims",
    from: "return this.#exchange(attemptId, parked, word(attemptId, RECALLED)) === parked;",
    to: "this.#exchange(attemptId, parked, word(attemptId, RECALLED)); return true;",
  },
  {
    name: "recalled job begun by its worker",
    file: "worker/runner-connection",
    from: "else if (this.#socket.claims?.begin(execution.attemptId) === false) this.#returnRecalled(execution);",
    to: "else if (this.#socket.claims?.begin(execution.attemptId) === undefined && false) return;",
  },
  {
    name: "a job numbered anew by a relay",
    file: "dispatch/relayed-call",
    from: "const number = session.speaks(FEATURE.relay) ? jobId : this.id;",
    to: "const number = this.id + 0 * jobId;",
  },
  {
    name: "an attempt numbered anew by a relay",
    file: "dispatch/relayed-call",
    from: "return session.attempts.assign(this, job, number, attempt, left, now);",
    to: "return session.attempts.assign(this, job, number, attempt * 0 + 1, left, now);",
  },
  {
    name: "a relay that answers by the attempt id of its fleet",
    file: "worker/runner-connection",
    from: "      attemptId: execution.attemptId,\n      durationMs",
    to: "      attemptId: isRelay(this.#owner.handler) ? execution.attempt : execution.attemptId,\n      durationMs",
  },
  {
    name: "a loss behind a relay told as if the job had not started",
    file: "dispatch/relayed-call",
    from: '    const code = reason === "unresponsive" ? "bystander" : "lost";\n    this.#fail(relayFailure(code, message, { path: pathOf(attempt) }));',
    to: '    this.lastWorker = reason + message + pathOf(attempt);\n    this.#end({ kind: "unfit" });',
  },
  {
    name: "a lost job tried again by a relay",
    file: "dispatch/relayed-call",
    from: '    const code = reason === "unresponsive" ? "bystander" : "lost";\n    this.#fail(relayFailure(code, message, { path: pathOf(attempt) }));',
    to: '    this.lastWorker = reason + message + pathOf(attempt);\n    this.#moveOn("not-sent");',
  },
  {
    name: "a path without the relay's own worker",
    file: "dispatch/relayed-call",
    from: "return joinPath(attempt.session.identity, attempt.path);",
    to: "return attempt.path ?? attempt.session.identity;",
  },
  {
    name: "paths to avoid kept by a relay",
    file: "dispatch/relayed-call",
    from: "avoid: pathsBelow(session.identity, avoid) };",
    to: "avoid: [] };",
  },
  {
    name: "CANCEL kept by a relay",
    file: "worker/execution",
    from: "    this.#relayed?.cancel(reason);\n",
    to: "    void this.#relayed;\n",
  },
  {
    name: "a slot told free that a cancelled job has in the fleet",
    file: "dispatch/relayed-call",
    from: "    attempt.session.attempts.cancel(attempt, reason);\n    this.#settle();",
    to: '    attempt.session.attempts.cancel(attempt, reason);\n    this.#end({ kind: "cancelled" });',
  },
  {
    name: "slots of a fleet not told",
    file: "worker/worker",
    from: "if (connection.canResize) connection.resize(free, labels);",
    to: "if (connection.canResize) connection.resize(connection.capacity, labels);",
  },
  {
    name: "labels of a fleet told stale",
    file: "worker/runner-connection",
    from: '    this.#labels = labels;\n    this.#send({ type: "CAPACITY", capacity, labels });',
    to: '    this.#send({ type: "CAPACITY", capacity, labels: this.#labels });\n    this.#labels = labels;',
  },
  {
    name: "slots told gone after the jobs that had them",
    file: "runner/registration",
    from: "    this.#scheduler.resize(session);\n    this.#onShrunk();",
    to: "    this.#scheduler.resize(session);",
  },
  {
    name: "a limit of a relay's fleet taken for a try",
    file: "dispatch/call",
    from: '    this.#record("rejected");\n    this.#made--;\n    this.#fail(fleetFailed(message, this));',
    to: '    this.#record("rejected");\n    this.#made--;\n    this.#onReturned();',
  },
  {
    name: "a loss behind a relay that is no loss",
    file: "dispatch/call",
    from: 'if (message.code === "lost") return this.onLost(attempt, "closed", message.text);',
    to: 'if (message.code === "lost") return this.onNotSent(attempt);',
  },
  {
    name: "a job handed back by a relay although a busy worker fits",
    file: "dispatch/relayed-call",
    from: 'if (reason === "unfit") this.selector = withoutOffer(this.selector, attempt.session);',
    to: 'if (reason === "unfit") return this.#end({ kind: "unfit" });',
  },
  {
    name: "a free slot to any runner whose job waits",
    file: "worker/worker",
    from: "if (other !== connection && other.isReady && comesBefore(other, connection)) return false;",
    to: "if (other === connection && comesBefore(other, connection)) return false;",
  },
  {
    name: "a job refused that could wait for another runner's",
    file: "worker/runner-connection",
    from: 'return (hasTurn && !this.#parks) || this.#isFull() ? "overloaded" : undefined;',
    to: 'return hasTurn || this.#parks || this.#isFull() ? "overloaded" : undefined;',
  },
  {
    name: "the grace of a CANCEL kept for a job that waits for its turn",
    file: "session/attempt-table",
    from: "else this.#endGrace(attempt);",
    to: "",
  },
  {
    name: "time at a relay not subtracted",
    file: "dispatch/relayed-call",
    from: "const left = Math.max(1, deadline - (now - this.createdAt));",
    to: "const left = Math.max(1, deadline + 0 * now);",
  },
];
