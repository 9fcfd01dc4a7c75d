/** The library in C as WebAssembly, deflated, as base64: written by tools/make_npm.py. */
declare const library: string;
export default library;
