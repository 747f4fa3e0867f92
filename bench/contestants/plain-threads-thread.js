/** One of the plain threads: runs all it is given, one after the other, and answers once. */
import { parentPort } from "node:worker_threads";
import { hashChain } from "./hash-chain.js";

parentPort?.on("message", (/** @type {string[]} */ jobs) => parentPort?.postMessage(jobs.map((job) => hashChain(job))));
