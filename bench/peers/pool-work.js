/** What Piscina and Tinypool run in the race that is about work. */
export { hashChain as default } from "../contestants/hash-chain.js";
