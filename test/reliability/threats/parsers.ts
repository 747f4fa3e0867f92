/** How long it takes to read text and bytes from others. Row T21. */
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { LineSplitter } from "../../../src/cli/run/line-splitter.ts";
import { safeText } from "../../../src/cli/terminal/format.ts";
import { systemClock } from "../../../src/core/time/system.ts";
import { Job } from "../../../src/core/job/job.ts";
import { bearerSubprotocol, dialAddress, isLoopback } from "../../../src/transports/websocket/address.ts";
import { Admission } from "../../../src/transports/websocket/node/admission.ts";
import { listenerSettings } from "../../../src/transports/websocket/node/options.ts";
import { decode, fromHex } from "../../support/frames.ts";
import type { Finding, Scale } from "../section.ts";
import { crudeFrame } from "./crude-frame.ts";
import { holds, none, type Row, sized } from "./row.ts";
import { growthOf } from "../../support/growth.ts";

/** Shapes that have been the undoing of some parser, each repeated as often as it takes. */
export const SHAPES: Readonly<Record<string, string>> = {
  spaces: " ",
  tabs: "\t ",
  colons: ":",
  backslashes: "\\",
  "escaped colons": "\\:",
  "header pairs": "a:b::",
  separators: ":::",
  "empty values": "a:::b:",
  "empty lines": "\n",
  "carriage returns": "\r",
  "short lines": "a\r\n",
  "zero bytes": "\0",
  commas: ",",
  "spaced commas": "a , ",
  tokens: "bearer.QQ,",
  dots: "127.0.0.",
  percents: "%41",
  brackets: "[{",
  "byte order marks": "\ufeff",
  "astral characters": "😀",
  "terminal escapes": "\u001b[31m\u202e",
  slashes: "/../",
  letters: "aA",
};

function attempt(run: () => unknown): void {
  try {
    run();
  } catch {
    // Refusing takes time too, and that is what is measured.
  }
}

/** The door, as it is asked by a request with these headers. */
function door(name: string): (text: string) => void {
  const admission = new Admission(
    listenerSettings({ token: "t", origins: ["https://a"] }),
    systemClock,
    () => undefined,
  );
  return (text) => {
    const request = new IncomingMessage(new Socket());
    request.headers["sec-websocket-protocol"] = "powerhose.v1";
    request.headers[name] = name === "authorization" ? `Bearer ${text}` : text;
    void admission.authorize(request);
  };
}

function splitIn(text: string, chunk: number, terminator: "newline" | "null"): void {
  const bytes = Buffer.from(text);
  const splitter = new LineSplitter({ terminator, maxLineBytes: 1_048_576 });
  for (let at = 0; at < bytes.length; at += chunk) splitter.push(bytes.subarray(at, at + chunk));
  splitter.end();
}

const ATTEMPT = [0, 0, 0, 0, 0, 0, 0, 1];
const JOB_HEAD = [...ATTEMPT, 0, 0, 0, 1, ...ATTEMPT, 0, 0, 0, 9];

/** Every parser of what comes from outside, over a text of any length. */
export const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  "Job.loadFromString": (text) => Job.loadFromString(text),
  "Job.loadFromString, behind headers": (text) => Job.loadFromString(`a:b::c:d:::${text}`),
  "Job.serialize": (text) => new Job(text).serialize(),
  "Job.addHeader": (text) => new Job("").addHeader(text, text),
  "a frame with a JOB of text": (text) => decode(crudeFrame(0x10, [...JOB_HEAD, 0], `NONE:::${text}`)),
  "a frame with a JOB of bytes": (text) => decode(crudeFrame(0x10, [...JOB_HEAD, 1], `NONE:::${text}`)),
  "a frame with a JOB whose headers do not end": (text) => decode(crudeFrame(0x10, [...JOB_HEAD, 0], text)),
  "a frame with a JOBRES": (text) => decode(crudeFrame(0x11, [...ATTEMPT, 0], text)),
  "a frame of small messages": (text) => decode(Buffer.alloc(text.length, fromHex("030000000400000001"))),
  "a frame of noise": (text) => decode(Buffer.from(text)),
  "the address of a runner": (text) => dialAddress(`ws://localhost/${text}`, false),
  "the host in an address": (text) => isLoopback(text),
  "a token as a subprotocol": (text) => bearerSubprotocol(text),
  "the Origin of a request": door("origin"),
  "the Authorization of a request": door("authorization"),
  "the subprotocols of a request": door("sec-websocket-protocol"),
  "lines in one piece": (text) => splitIn(text, text.length * 4, "newline"),
  "lines in small pieces": (text) => splitIn(text, 64, "newline"),
  "lines that end with zero": (text) => splitIn(text, 4_096, "null"),
  "a peer's words for a terminal": (text) => safeText(text, Number.POSITIVE_INFINITY),
};

const MOST = 2.5;

async function time(scale: Scale): Promise<readonly Finding[]> {
  const length = sized(scale, 1 << 12, 1 << 15, 1 << 17);
  const slow: string[] = [];
  let worst = 0;
  for (const [parser, parse] of Object.entries(PARSERS)) {
    for (const [shape, unit] of Object.entries(SHAPES)) {
      const growth = growthOf((doublings) => {
        const text = unit.repeat((length << doublings) / unit.length);
        // Many an expression is slow only when what it looks for at the end is not there.
        const otherwise = `${text}!`;
        return () => {
          attempt(() => parse(text));
          attempt(() => parse(otherwise));
        };
      }, MOST);
      worst = Math.max(worst, growth);
      if (growth > MOST) slow.push(`${parser}: ${shape} (${growth.toFixed(1)})`);
    }
  }
  const pairs = Object.keys(PARSERS).length * Object.keys(SHAPES).length;
  return [
    none(`parsers × shapes where twice the input takes over ${MOST} times as long`, slow.length, pairs),
    holds("the largest ratio", slow.length === 0, slow.join("; ") || worst.toFixed(2), `at most ${MOST}`),
  ];
}

/** What reads others' text and bytes. */
export const parserRows: readonly Row[] = [{ name: "T21", threat: "input that is slow to read", check: time }];
