"""The table as text, and as a chart."""

import html


def text(titles, rows):
    lines = []
    for group, title in titles.items():
        mine = [row for row in rows if row["group"] == group]
        if not mine:
            continue
        if lines:
            lines.append("")
        lines.append(title)
        lines.append("  %-38s %-20s %8s  %-16s %8s  %-8s %s" % (
            "", "AGAINST", "RATIO", "MIDDLE HALF", "CPU/REQ", "GOAL", ""))
        lines += [text_row(row) for row in mine]
    return "\n".join(lines)


def text_row(row):
    ratio = "%8.3f" % row["ratio"] if "ratio" in row else "%8s" % ""
    spread = "%.3f .. %.3f" % (row["low"], row["high"]) if row.get("pairs", 0) > 1 else ""
    cpu = "%8.3f" % row["cpu_ratio"] if "cpu_ratio" in row else "%8s" % ""
    notes = []
    if "value" in row:
        notes.append("%.4g %s" % (row["value"], row["unit"]))
    if "note" in row:
        notes.append(row["note"])
    return ("  %-38s %-20s %s  %-16s %s  %-8s %s" % (
        row["name"], row["against"][:20], ratio, spread, cpu, row.get("goal", ""),
        "; ".join(notes))).rstrip()


# ---- the chart: a bar for each row that is compared with the bare server

LEFT, WIDTH, BAR, STEP = 250, 420, 14, 20


def chart_rows(rows):
    return [row for row in rows if row["against"] == "bare" and "ratio" in row]


def chart(titles, rows):
    parts, y = [], 10
    for group, title in titles.items():
        mine = chart_rows([row for row in rows if row["group"] == group])
        if not mine:
            continue
        y += 14
        parts.append('<text x="8" y="%d" class="title">%s</text>' % (y, html.escape(title)))
        y += 10
        top = y
        for row in mine:
            parts.append(chart_bar(row, y))
            y += STEP
        parts.append('<line x1="%d" y1="%d" x2="%d" y2="%d" class="bare"/>' %
                     (LEFT + WIDTH, top - 2, LEFT + WIDTH, y - 4))
        y += 10
    head = ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" role="img" '
            'aria-label="Throughput under profilers, of the bare server\'s">\n' % (LEFT + WIDTH + 70, y))
    style = ('<style>text{font:12px sans-serif;fill:#888}.title{font-weight:bold}'
             '.ours{fill:#2a78c2}.peer{fill:#b9a06b}.floor{fill:#9aa5b1}'
             '.bare,.spread{stroke:#888}</style>\n')
    return head + style + "\n".join(parts) + "\n</svg>\n"


def chart_kind(name):
    if "floor" in name:
        return "floor"
    return "ours" if "Hz" in name or name == "switched off" else "peer"


def chart_bar(row, y):
    at = min(row["ratio"], 1.1) * WIDTH
    middle = y + BAR / 2
    return "".join([
        '<text x="%d" y="%.1f" text-anchor="end">%s</text>' %
        (LEFT - 8, middle + 4, html.escape(row["name"])),
        '<rect x="%d" y="%d" width="%.1f" height="%d" class="%s"/>' %
        (LEFT, y, at, BAR, chart_kind(row["name"])),
        '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="spread"/>' %
        (LEFT + row["low"] * WIDTH, middle, LEFT + row["high"] * WIDTH, middle),
        '<text x="%.1f" y="%.1f">%.3f</text>' % (LEFT + WIDTH + 8, middle + 4, row["ratio"]),
    ])
