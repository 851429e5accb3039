"""Creates the outbox: the table of purges that larderd has not taken yet."""
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="WaitingPurge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kept_at", models.DateTimeField(auto_now_add=True)),
                ("call", models.TextField()),
            ],
            options={"db_table": "larder_outbox"},
        ),
    ]
