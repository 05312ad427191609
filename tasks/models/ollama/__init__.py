"""The Ollama runtime: models that an Ollama server has. Start with `runtime`."""
