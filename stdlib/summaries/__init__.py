"""What programs sum up in the kernel, and user space reads at the end: histograms, counters, statistics, rate limits.

    base.py        an object that keeps what it knows in maps of its own
    histograms.py  powers of two, and steps of equal width; by key too
    counters.py    how often
    stats.py       count, total, least and greatest; by key too
    limits.py      at most so many a second; one in so many
    views.py       what obj[...] and sim[...] give for histograms; figures.py: for counters and stats

The methods that programs call are written in the language itself: the compiler inlines them.
"""
