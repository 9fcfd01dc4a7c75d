export default { worker: { format: "es" }, build: { target: "esnext", rollupOptions: { input: "bundled.html" } } };
