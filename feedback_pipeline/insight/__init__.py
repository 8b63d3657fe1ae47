"""How well the loop works: numbers from the store, and plots of them.

``utilisation`` counts everything within a ``window`` of days; ``statuses``, ``durations``, ``uses``, ``repeats`` and
``people`` each count one matter and say what they return; ``recent`` keeps an answer for a while. ``lift`` measures
what each example does to answers (``differences`` is its arithmetic), ``retirement`` proposes to retire what harms,
``metrics`` is the table of examples. ``words`` says numbers as people do, ``figures`` and ``plots`` work out where
things lie in a plot; how they look is for the page. What each number means stands in ``docs/insights.md``.
"""

from feedback_pipeline.insight.utilisation import MOST_DAYS, Utilisation, utilisation

__all__ = ["MOST_DAYS", "Utilisation", "utilisation"]
