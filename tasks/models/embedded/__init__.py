"""The embedded runtime: llama.cpp in a process of ours. Start with `runtime`."""
