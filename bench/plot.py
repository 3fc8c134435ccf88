"""The plot of bench/run as SVG, without a library."""
import math

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 400, 70, 50


def scale(points) -> str:
    """Points (GiB, seconds) on two logarithmic axes, with the line that grows as the size does through the largest."""
    x_low, x_high = math.floor(math.log2(points[0][0])), math.ceil(math.log2(points[-1][0]))
    y_low = math.floor(math.log10(min(seconds for _, seconds in points)))
    y_high = math.ceil(math.log10(max(seconds for _, seconds in points)))

    def x(gib):
        return LEFT + (math.log2(gib) - x_low) / (x_high - x_low) * (WIDTH - LEFT - 20)

    def y(seconds):
        return HEIGHT - BOTTOM - (math.log10(seconds) - y_low) / (y_high - y_low) * (HEIGHT - BOTTOM - 20)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for power in range(x_low, x_high + 1, 2):
        name = f"{2 ** power} GiB" if power < 10 else f"{2 ** (power - 10)} TiB"
        out.append(f'<path d="M{x(2 ** power):.1f} 20V{HEIGHT - BOTTOM}" stroke="#ddd"/><text x="{x(2 ** power):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{name}</text>')
    for power in range(y_low, y_high + 1):
        out.append(f'<path d="M{LEFT} {y(10 ** power):.1f}H{WIDTH - 20}" stroke="#ddd"/><text x="{LEFT - 6}" y="{y(10 ** power) + 4:.1f}" text-anchor="end">{10 ** power:g} s</text>')
    last, seconds = points[-1]
    shortest = max(points[0][0], last * 10 ** y_low / seconds)
    out.append(f'<path d="M{x(shortest):.1f} {y(seconds * shortest / last):.1f}L{x(last):.1f} {y(seconds):.1f}" stroke="#aaa" stroke-dasharray="4"/>')
    out.append(f'<polyline points="{" ".join(f"{x(gib):.1f},{y(s):.1f}" for gib, s in points)}" fill="none" stroke="#06c" stroke-width="2"/>')
    out += [f'<circle cx="{x(gib):.1f}" cy="{y(s):.1f}" r="3.5" fill="#06c"/>' for gib, s in points]
    out.append(f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">RAM of the machine; dashed: time that grows as the size does</text></svg>')
    return "\n".join(out) + "\n"
