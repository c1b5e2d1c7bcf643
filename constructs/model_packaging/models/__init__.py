"""Where models come from: uploads, training jobs, either, or steps before the packaging step."""
