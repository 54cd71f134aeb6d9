from _broken import VALUE
