"""Folders of pictures turned into batches, without the trainer ever waiting."""
