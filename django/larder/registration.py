"""register(): saving, deleting or relating a model's objects purges their tags.

Receivers are connected to the models concerned, one by one, and never to all: a receiver without a sender makes Django
load, one by one, what it would otherwise delete with a single statement.
"""
import logging

from django.apps import apps
from django.db import Error, models, transaction
from django.db.models.signals import class_prepared, m2m_changed, post_delete, post_save, pre_delete, pre_save

from larder.headers import checked_tag
from larder.primary import use_primary
from larder.purging import purge

logger = logging.getLogger("larder.purge")

_tags_of = {}


def register(model=None, *, tags):
    """Purges `tags(instance)` whenever an object of `model` (or of a subclass or proxy) is saved, deleted, or changed in
    a many-to-many relation. A save purges what the object's tags were before it too, so that an object which moved leaves
    its old place; that costs one query a save. Also a class decorator: `@larder.register(tags=...)`.

    bulk_create, bulk_update and QuerySet.update send no signals: see larder.querysets.

    What `tags` raises is logged, and a tag that can't be one is left out: the rest is purged, and the write done."""
    if model is None:
        return lambda cls: register(cls, tags=tags)
    _tags_of[model] = tags
    if apps.models_ready:
        connect_receivers()
    return model


def registered_models():
    """All models whose objects purge: those registered, and their subclasses and proxies."""
    return [model for model in apps.get_models(include_auto_created=True) if _registered(model)]


def tags_of(instance, using):
    """The tags of one object, as registered for its class or the nearest base of it; none if no class is. Errors end in the
    log, but for the database's in a transaction on `using`, which can't be committed after that."""
    function = next((_tags_of[cls] for cls in type(instance).__mro__ if cls in _tags_of), lambda instance: ())
    tags = []
    try:
        for tag in function(instance):
            try:
                checked_tag(tag)
                tags.append(tag)
            except ValueError as error:
                logger.error("not purged, of %s %s: %s", instance._meta.label, instance.pk, error)
    except Exception as error:
        if isinstance(error, Error) and transaction.get_connection(using).in_atomic_block:
            raise
        logger.exception("not purged: the tags of %s %s can't be made", instance._meta.label, instance.pk)
    return tags


def connect_receivers():
    """Once all models are loaded, and again for what is registered or defined later."""
    for model in apps.get_models(include_auto_created=True):
        _connect(model)
    class_prepared.connect(_connect_late, dispatch_uid="larder")


def _connect_late(sender, **_):
    _connect(sender)


def _connect(model):
    if _registered(model):
        for signal, receiver in ((pre_save, _before_save), (post_save, _after_save),
                                 (pre_delete, _before_delete), (post_delete, _after_delete)):
            signal.connect(receiver, sender=model, dispatch_uid="larder")
    for field in model._meta.many_to_many:
        if _may_be_registered(model) or _may_be_registered(field.related_model):
            m2m_changed.connect(_m2m, sender=field.remote_field.through, dispatch_uid="larder")


def _registered(cls):
    return any(base in _tags_of for base in cls.__mro__)


def _may_be_registered(cls):
    """Whether an object that is a `cls` may purge: objects of subclasses are such, too."""
    if not isinstance(cls, type):  # named, and not defined yet
        return False
    return _registered(cls) or any(issubclass(model, cls) for model in _tags_of)


def _before_save(sender, instance, using, raw=False, **_):
    if raw or instance.pk is None:
        return
    with use_primary():
        stored = sender._base_manager.using(using).filter(pk=instance.pk).first()
        # Kept until the save is done: outside of a transaction, a purge now would come before the commit.
        instance._larder_tags = tags_of(stored, using) if stored is not None else ()


def _after_save(sender, instance, using, raw=False, **_):
    if not raw:
        with use_primary():
            purge([*_kept_tags(instance), *tags_of(instance, using)], using=using)


def _before_delete(sender, instance, using, **_):
    """The tags are made while relations still exist; the purge waits for the delete."""
    with use_primary():
        instance._larder_tags = tags_of(instance, using)


def _after_delete(sender, instance, using, **_):
    purge(_kept_tags(instance), using=using)


def _kept_tags(instance):
    return instance.__dict__.pop("_larder_tags", ())


def _m2m(sender, instance, action, reverse, model, pk_set, using, **_):
    """`instance` is one side; `model` and `pk_set` are the other. Removals are read before, while both are related."""
    if action not in ("post_add", "pre_remove", "post_remove", "pre_clear"):
        return
    with use_primary():
        for changed in [instance, *_other_side(sender, instance, model, reverse, pk_set, using)]:
            purge(tags_of(changed, using), using=using)


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
