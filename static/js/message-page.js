// A message on a page of its own: its body's frame gets the height of what is in it.
import { sized } from "./frames.js";

sized(document);
