/** The worker of workerpool. */
import workerpool from "workerpool";
import { hashChain } from "../contestants/hash-chain.js";

workerpool.worker({ echo: (/** @type {unknown} */ payload) => payload, work: hashChain });
