"""The Gradio application over the runtime; its tabs come with the tasks they show."""
