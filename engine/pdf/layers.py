"""Takes hidden layers (图层) out of a document and fixes the shown ones, as the screen shows them when it is opened.

A layer that only prints, or shows only after a click, is not seen by the person who signs, so it goes. Where content
that is hidden moved the text position, visible text after it in the same text object moves; no producer does that.
"""

from __future__ import annotations

import pikepdf
from pikepdf import Array, Dictionary, Name, Operator, Pdf, Stream

from engine.pdf import intake

_PAINT_PATH = frozenset({"f", "F", "f*", "B", "B*", "b", "b*", "S", "s"})
_PAINT_OTHER = frozenset({"Tj", "TJ", "sh", "Do", "INLINE IMAGE"})
_HIDDEN = 2
_DEPTH = 16


def settle(pdf: Pdf) -> bool:
    """Remove what hidden layers draw and the marks of all layers; returns whether anything was hidden."""
    properties = pdf.Root.get(Name.OCProperties)
    if not isinstance(properties, Dictionary):
        return False
    layers = _Layers(properties)
    if not layers.hidden:
        return False
    # Every content stream first, while the marks still name their layers.
    for scope in pdf.content_scopes():
        table = scope.resources.get(Name.Properties) if scope.resources is not None else None
        if isinstance(table, Dictionary) and any(layers.is_hidden(value) for _, value in table.items()):
            _rewrite(pdf, scope.content, table, layers)
    for item in pdf.objects:
        if isinstance(item, Stream) and layers.is_hidden(item.get(Name.OC)):
            _empty(item)
    for page in pdf.pages:
        for annotation in _array(page.obj.get(Name.Annots)):
            if isinstance(annotation, Dictionary) and layers.is_hidden(annotation.get(Name.OC)):
                annotation[Name.F] = _HIDDEN
    return True


class _Layers:
    """Which optional content groups are off in the default configuration on screen (ISO 32000-2 8.11.4)."""

    def __init__(self, properties: pikepdf.Object) -> None:
        self.hidden: set[tuple[int, int]] = set()
        default = properties.get(Name.D)
        if not isinstance(default, Dictionary):
            return
        if default.get(Name.BaseState) == Name.OFF:
            self.hidden = {item.objgen for item in _array(properties.get(Name.OCGs))}
        self.hidden -= {item.objgen for item in _array(default.get(Name.ON))}
        self.hidden |= {item.objgen for item in _array(default.get(Name.OFF))}
        for rule in _array(default.get(Name.AS)):
            if isinstance(rule, Dictionary) and rule.get(Name.Event) == Name.View:
                self._apply_usage(_array(rule.get(Name.OCGs)))

    def _apply_usage(self, groups: list[pikepdf.Object]) -> None:
        for group in groups:
            usage = group.get(Name.Usage) if isinstance(group, Dictionary) else None
            view = usage.get(Name.View) if isinstance(usage, Dictionary) else None
            state = view.get(Name.ViewState) if isinstance(view, Dictionary) else None
            if state == Name.OFF:
                self.hidden.add(group.objgen)
            elif state == Name.ON:
                self.hidden.discard(group.objgen)

    def is_hidden(self, membership: pikepdf.Object | None) -> bool:
        """Whether what belongs to this group or membership dictionary is hidden."""
        if not isinstance(membership, Dictionary):
            return False
        if membership.get(Name.Type) != Name.OCMD:
            return membership.objgen in self.hidden
        expression = membership.get(Name.VE)
        if isinstance(expression, Array) and len(expression):
            return not self._holds(expression, _DEPTH)
        groups = membership.get(Name.OCGs)
        members = [groups] if isinstance(groups, Dictionary) else _array(groups)
        states = [item.objgen not in self.hidden for item in members if isinstance(item, Dictionary)]
        if not states:
            return False
        policy = intake.name_of(membership.get(Name.P))
        shown = {"/AllOn": all(states), "/AnyOff": not all(states), "/AllOff": not any(states)}
        return not shown.get(policy, any(states))

    def _holds(self, expression: pikepdf.Object, depth: int) -> bool:
        if isinstance(expression, Dictionary):
            return expression.objgen not in self.hidden
        operator, *operands = _array(expression) or [Name.And]
        if depth == 0:
            return True
        values = [self._holds(operand, depth - 1) for operand in operands]
        if operator == Name.Not:
            return not all(values)
        return any(values) if operator == Name.Or else all(values)


def _rewrite(pdf: Pdf, content: pikepdf.Object, table: pikepdf.Object, layers: _Layers) -> None:
    kept: list[tuple[list[pikepdf.Object], Operator]] = []
    marks: list[tuple[bool, bool]] = []  # for each open mark: is it a layer, is it hidden
    for instruction in pikepdf.parse_content_stream(content):
        operator, operands = str(instruction.operator), list(instruction.operands)
        hidden = any(mark[1] for mark in marks)
        if operator in ("BDC", "BMC"):
            layer = operator == "BDC" and operands[:1] == [Name.OC]
            off = layer and isinstance(operands[-1], Name) and layers.is_hidden(table.get(intake.name_of(operands[-1])))
            marks.append((layer, bool(off)))
            if layer:
                continue
        elif operator == "EMC" and marks and marks.pop()[0]:
            continue
        elif hidden and operator in _PAINT_PATH:
            operands, operator = [], "n"
        elif hidden and operator in ("'", '"'):
            operands, operator = [], "T*"
        elif hidden and operator in _PAINT_OTHER:
            continue
        kept.append((operands, Operator(operator) if operator != "INLINE IMAGE" else instruction.operator))
    written = pikepdf.unparse_content_stream(kept)
    if isinstance(content, Stream):
        content.write(written)
    else:
        content[Name.Contents] = pdf.make_stream(written)


def _empty(picture: pikepdf.Object) -> None:
    """Make a picture or form draw nothing, wherever it is used."""
    picture.write(b"")
    for key in ("/SMask", "/Mask", "/ColorSpace", "/OC", "/Resources"):
        if key in picture:
            del picture[key]
    picture[Name.Subtype], picture[Name.BBox] = Name.Form, Array([0, 0, 0, 0])


def _array(value: pikepdf.Object | None) -> list[pikepdf.Object]:
    return list(value) if isinstance(value, Array) else []
