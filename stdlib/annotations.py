"""The annotations of a class body, as objects or as strings, and what the strings stand for.

Strings come from `from __future__ import annotations`. They are looked up in the function around the class, as it was
when the class was made, then in the class's module. Classes keep both as `__bpf_scope__`, since their module may be one
that `sys.modules` does not know.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

__all__ = ["annotated", "evaluated", "inherited", "scope_of"]


def annotated(namespace: Any) -> dict[str, Any]:
    """The annotations of a class body (or of a class's `__dict__`), in order, without ClassVars."""
    found: dict[str, Any] | None = namespace.get("__annotations__")
    if found is None:
        annotate = namespace.get("__annotate_func__") or namespace.get("__annotate__")  # Python 3.14
        if annotate is None:
            return {}
        annotationlib: Any = __import__("annotationlib")
        found = annotationlib.call_annotate_function(annotate, annotationlib.Format.FORWARDREF)
    return {name: kind for name, kind in (found or {}).items() if not _is_classvar(kind)}


def _is_classvar(annotation: object) -> bool:
    text = annotation if isinstance(annotation, str) else repr(annotation)
    return text.startswith(("ClassVar", "typing.ClassVar"))


def inherited(cls: Any) -> dict[str, tuple[Any, Any]]:
    """Annotations of a class and of its bases in user code: name -> (the class that has it, the annotation)."""
    made: dict[str, tuple[Any, Any]] = {}
    for owner in reversed(cls.__mro__):
        if not owner.__module__.startswith("pybpf.stdlib.contexts"):
            for name, annotation in annotated(owner.__dict__).items():
                made[name] = (owner, annotation)
    return made


def scope_of(frame: FrameType) -> tuple[dict[str, Any], dict[str, Any]]:
    """The global names of a frame, and the local ones of the function that runs in it; none at module level."""
    return frame.f_globals, {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)


def evaluated(cls: Any, field: str, annotation: Any) -> Any:
    """What an annotation stands for. Raises DeclarationTypeError, which names the class and the field."""
    if not isinstance(annotation, str):
        return annotation
    names, scope = cls.__bpf_scope__
    if annotation in scope:
        return scope[annotation]
    if annotation in names:
        return names[annotation]
    where = f"{cls.__name__}.{field}"
    try:
        made = eval(annotation, names, scope)
        return eval(made, names, scope) if isinstance(made, str) else made  # quoted, under the future import too
    except DeclarationTypeError as error:
        raise DeclarationTypeError(f"{where}: {error.title}", help=error.help) from None
    except NameError as error:
        raise DeclarationTypeError(
            f"{where}: the name `{error.name}` in `{annotation}` is not defined",
            help="import it, or declare it before the class is used",
        ) from None
    except Exception as error:
        raise DeclarationTypeError(f"{where}: `{annotation}` is not a type ({error})") from None
