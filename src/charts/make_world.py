"""Turns the TopoJSON of world-atlas into SVG paths, one line for each country. See scripts/make-world-map."""

import json
import math
import pathlib
import sys

# The map is so many units wide; a unit is a third of a degree at the equator.
WIDTH = 1000
# Countries that are too small to be drawn get a dot.
DOT = "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z"
# Nobody listens there, and it would take a quarter of the map.
LEFT_OUT = {"AQ"}


def equal_earth(longitude, latitude):
    """The projection Equal Earth (Šavrič, Patterson, Jenny 2018), in radians."""
    theta = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(latitude)))
    a = (1.340264, -0.081106, 0.000893, 0.003796)
    slope = 9 * a[3] * theta**8 + 7 * a[2] * theta**6 + 3 * a[1] * theta**2 + a[0]
    x = 2 * math.sqrt(3) * math.radians(longitude) * math.cos(theta) / (3 * slope)
    y = theta * (a[3] * theta**8 + a[2] * theta**6 + a[1] * theta**2 + a[0])
    return x, y


SCALE = WIDTH / (2 * equal_earth(180, 0)[0])
TOP = equal_earth(0, 83.7)[1]


def on_map(point):
    x, y = equal_earth(*point)
    return round(WIDTH / 2 + x * SCALE), round((TOP - y) * SCALE)


def arcs_of(topology):
    """The arcs as points of degrees: they are stored as differences of integers."""
    scale, translate = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for stored in topology["arcs"]:
        x = y = 0
        arc = []
        for dx, dy in stored:
            x, y = x + dx, y + dy
            arc.append((x * scale[0] + translate[0], y * scale[1] + translate[1]))
        arcs.append(arc)
    return arcs


def rings_of(geometry, arcs):
    polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
    for polygon in polygons:
        for ring in polygon:
            points = []
            for number in ring:
                arc = arcs[number] if number >= 0 else arcs[~number][::-1]
                points.extend(arc[1:] if points else arc)
            yield from on_both_edges(points)


def unwrapped(ring):
    """The ring without jumps from one edge of the map to the other: longitudes may leave it."""
    points, turn = [ring[0]], 0
    for (before, _), (longitude, latitude) in zip(ring, ring[1:]):
        turn += 360 * ((longitude - before < -180) - (longitude - before > 180))
        points.append((longitude + turn, latitude))
    return points


def cut(ring, edge, side):
    """What lies on one side (1 or -1) of a meridian (Sutherland, Hodgman)."""
    points = []
    for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1]):
        inside = (x0 - edge) * side >= 0, (x1 - edge) * side >= 0
        if inside[0]:
            points.append((x0, y0))
        if inside[0] != inside[1]:
            points.append((edge, y0 + (y1 - y0) * (edge - x0) / (x1 - x0)))
    return points


def on_both_edges(ring):
    """The parts of a ring on the map, also of one that goes over its edge."""
    ring = unwrapped(ring)
    for shift in (-360, 0, 360):
        shifted = [(x + shift, y) for x, y in ring]
        part = cut(cut(shifted, -180, 1), 180, -1)
        if len(part) > 2:
            yield part


def number(value):
    """A number behind another one: its sign parts them."""
    return str(value) if value < 0 else f" {value}"


def path_of(points):
    points = [on_map(point) for point in points]
    points = [point for i, point in enumerate(points) if i == 0 or point != points[i - 1]]
    if len(points) < 4:
        return ""
    (x, y), path = points[0], f"M{points[0][0]}{number(points[0][1])}l"
    for next_x, next_y in points[1:]:
        path += number(next_x - x) + number(next_y - y)
        x, y = next_x, next_y
    return path.replace("l ", "l") + "z"


def read(file, codes):
    topology = json.loads(file.read_text())
    arcs = arcs_of(topology)
    for geometry in topology["objects"]["countries"]["geometries"]:
        code = codes.get(geometry.get("id"))
        if code and code not in LEFT_OUT and "arcs" in geometry:
            yield code, list(rings_of(geometry, arcs))


def main():
    folder = pathlib.Path(sys.argv[1])
    codes = {row[2]: row[0] for row in json.loads((folder / "i18n-iso-countries/codes.json").read_text())}
    paths = {}
    for code, rings in read(folder / "world-atlas/countries-110m.json", codes):
        paths[code] = "".join(path_of(ring) for ring in rings)
    for code, rings in read(folder / "world-atlas/countries-50m.json", codes):
        if not paths.get(code):
            # The middle of its largest part.
            ring = [on_map(point) for point in max(rings, key=len)]
            xs, ys = [x for x, _ in ring], [y for _, y in ring]
            paths[code] = f"M{(min(xs) + max(xs)) // 2} {(min(ys) + max(ys)) // 2}{DOT}"
    for code, path in sorted(paths.items()):
        print(code, path)


main()
