"""register(): saving or deleting objects of a model, or changing their many-to-many relations, purges their tags.

Signal receivers are connected for each model concerned. A receiver without a sender would slow down all other models: Django deletes
with a single statement only if no receiver wants to see the objects.
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
    """Purges `tags(instance)` whenever an object of `model`, or of a subclass or proxy, is saved or deleted, or one of its many-to-many
    relations changes. A save also purges the tags that the object had before; that takes one query per save. Can be used as a class
    decorator: `@larder.register(tags=...)`.

    bulk_create, bulk_update and QuerySet.update send no signals: see larder.querysets.

    An exception in `tags` is logged, and an invalid tag is logged and skipped. The remaining tags are purged, and the write goes on."""
    if model is None:
        return lambda cls: register(cls, tags=tags)
    _tags_of[model] = tags
    if apps.models_ready:
        connect_receivers()
    return model


def registered_models():
    """All registered models, and their subclasses and proxies."""
    return [model for model in apps.get_models(include_auto_created=True) if _registered(model)]


def tags_of(instance, using):
    """The tags of one object, by the function registered for its class or its nearest base class; none if no class is registered.
    Errors are logged. A database error in a transaction on `using` is raised, because that transaction can't be committed any more."""
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
    """Connects the receivers. Called when all models are loaded, and again for models that are registered or defined later."""
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
    """Whether a `cls` object may have registered tags, by its own class or, as it may be an object of a subclass, by a subclass."""
    if not isinstance(cls, type):  # the name of a model that is not defined yet
        return False
    return _registered(cls) or any(issubclass(model, cls) for model in _tags_of)


def _before_save(sender, instance, using, raw=False, **_):
    if raw or instance.pk is None:
        return
    with use_primary():
        stored = sender._base_manager.using(using).filter(pk=instance.pk).first()
        # Purged after the save: outside of a transaction, a purge now would come before the commit.
        instance._larder_tags = tags_of(stored, using) if stored is not None else ()


def _after_save(sender, instance, using, raw=False, **_):
    if not raw:
        with use_primary():
            purge([*_kept_tags(instance), *tags_of(instance, using)], using=using)


def _before_delete(sender, instance, using, **_):
    """Computes the tags while the object's relations still exist. _after_delete() purges them."""
    with use_primary():
        instance._larder_tags = tags_of(instance, using)


def _after_delete(sender, instance, using, **_):
    purge(_kept_tags(instance), using=using)


def _kept_tags(instance):
    return instance.__dict__.pop("_larder_tags", ())


def _m2m(sender, instance, action, reverse, model, pk_set, using, **_):
    """`instance` is one side of the relation; `model` and `pk_set` are the other side. For removals, tags are computed before, while both
    sides are still related, and also after."""
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
    # For a clear, pk_set is None: all related objects are affected.
    own, other = _through_columns(through, instance, model, reverse)
    related = through._base_manager.using(using).filter(**{own: instance.pk}).values(other)
    return manager.filter(pk__in=models.Subquery(related))


def _through_columns(through, instance, model, reverse):
    """The columns of the through table for `instance` and for `model`. In a relation of a model to itself, both are of the same model."""
    keys = [field for field in through._meta.fields if isinstance(field, models.ForeignKey)]
    if type(instance)._meta.concrete_model is model._meta.concrete_model:
        first, second = keys[0].attname, keys[1].attname
        return (second, first) if reverse else (first, second)
    own = next(key for key in keys if isinstance(instance, key.remote_field.model))
    other = next(key for key in keys if key is not own and issubclass(model, key.remote_field.model))
    return own.attname, other.attname
