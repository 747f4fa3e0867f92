// The script of a Web Worker: this line is all of it.
import { serve } from "powerhose/web-workers/serve";
import mandelbrot from "./mandelbrot.ts";

serve(mandelbrot);
