"""register(): saving, deleting or relating a model's objects purges their tags."""
from django.db import models
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save

from larder.primary import use_primary
from larder.purging import purge

_tags_of = {}


def register(model=None, *, tags):
    """Purges `tags(instance)` whenever an object of `model` (or of a subclass or proxy) is saved, deleted, or changed in
    a many-to-many relation. A save purges what the object's tags were before it too, so that an object which moved leaves
    its old place; that costs one query a save. Also a class decorator: `@larder.register(tags=...)`.

    bulk_create, bulk_update and QuerySet.update send no signals: see larder.querysets."""
    if model is None:
        return lambda cls: register(cls, tags=tags)
    if not _tags_of:
        _connect()
    _tags_of[model] = tags
    return model


def tags_of(instance):
    """The tags of one object, as registered for its class or the nearest base of it; () if none is."""
    for cls in type(instance).__mro__:
        if cls in _tags_of:
            return list(_tags_of[cls](instance))
    return ()


def _connect():
    pre_save.connect(_before_save, dispatch_uid="larder")
    post_save.connect(_after_save, dispatch_uid="larder")
    pre_delete.connect(_before_delete, dispatch_uid="larder")
    post_delete.connect(_after_delete, dispatch_uid="larder")
    m2m_changed.connect(_m2m, dispatch_uid="larder")


def _registered(cls):
    return any(base in _tags_of for base in cls.__mro__)


def _before_save(sender, instance, using, raw=False, **_):
    if raw or instance.pk is None or not _registered(sender):
        return
    with use_primary():
        stored = sender._base_manager.using(using).filter(pk=instance.pk).first()
        # Kept until the save is done: outside of a transaction, a purge now would come before the commit.
        instance._larder_tags = tags_of(stored) if stored is not None else ()


def _after_save(sender, instance, using, raw=False, **_):
    if not raw and _registered(sender):
        with use_primary():
            purge([*_kept_tags(instance), *tags_of(instance)], using=using)


def _before_delete(sender, instance, **_):
    """The tags are made while relations still exist; the purge waits for the delete."""
    if _registered(sender):
        with use_primary():
            instance._larder_tags = tags_of(instance)


def _after_delete(sender, instance, using, **_):
    if _registered(sender):
        purge(_kept_tags(instance), using=using)


def _kept_tags(instance):
    return instance.__dict__.pop("_larder_tags", ())


def _m2m(sender, instance, action, reverse, model, pk_set, using, **_):
    """`instance` is one side; `model` and `pk_set` are the other. Removals are read before, while both are related."""
    if action not in ("post_add", "pre_remove", "post_remove", "pre_clear"):
        return
    with use_primary():
        for changed in [instance, *_other_side(sender, instance, model, reverse, pk_set, using)]:
            if _registered(type(changed)):
                purge(tags_of(changed), using=using)


def _other_side(through, instance, model, reverse, pk_set, using):
    if not _registered(model):
        return ()
    manager = model._base_manager.using(using)
    if pk_set is not None:
        return manager.filter(pk__in=pk_set)
    # A clear names nobody: everyone related is meant.
    own, other = _through_columns(through, instance, model, reverse)
    related = through._base_manager.using(using).filter(**{own: instance.pk}).values(other)
    return manager.filter(pk__in=models.Subquery(related))


def _through_columns(through, instance, model, reverse):
    """The through table's columns for `instance` and for `model`; a relation to itself has two of the same model."""
    keys = [field for field in through._meta.fields if isinstance(field, models.ForeignKey)]
    if type(instance)._meta.concrete_model is model._meta.concrete_model:
        first, second = keys[0].attname, keys[1].attname
        return (second, first) if reverse else (first, second)
    own = next(key for key in keys if isinstance(instance, key.remote_field.model))
    other = next(key for key in keys if key is not own and issubclass(model, key.remote_field.model))
    return own.attname, other.attname
