"""The colours of charts on a light ground; pages map each to its twin on a dark one.

Bars and lines keep 3:1 against the ground, text 4.5:1. ACCENT and OVER are Okabe–Ito's blue and a vermilion
darkened until it can carry text.
"""

INK = "#1b1d1f"
MUTED = "#5a5f66"
RULE = "#dcdfe3"
SHADE = "#f0f1f3"
BAR = "#868c94"
ACCENT = "#0072b2"
OVER = "#b04000"

# light -> dark
DARK = {
    INK: "#e8eaed",
    MUTED: "#a6acb4",
    RULE: "#3b4046",
    SHADE: "#25292e",
    BAR: "#848b94",
    ACCENT: "#56b4e9",
    OVER: "#ff9a5c",
}
