/** The worker of poolifier. */
import { ThreadWorker } from "poolifier";
import { hashChain } from "../contestants/hash-chain.js";

const worker = new ThreadWorker({ echo: (/** @type {unknown} */ payload) => payload, work: hashChain });
export default worker;
