import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `base: "./"` keeps every address relative, so the console works below any path (`<base>` comes from the server).
export default defineConfig({
  base: "./",
  plugins: [react()],
  build: {
    outDir: "../src/jwtrail/web/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1200,
  },
  server: {
    proxy: { "/api": process.env.JWTRAIL_API ?? "http://127.0.0.1:8700" },
  },
});
