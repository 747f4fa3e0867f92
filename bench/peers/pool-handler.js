/** What Piscina and Tinypool run: an echo. */
export default (/** @type {unknown} */ payload) => payload;
