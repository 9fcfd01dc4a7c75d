"""Text: encoders of prompts behind one protocol, and their vectors kept."""
